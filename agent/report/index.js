"use strict";
// A click on a heading sorts by that column; another click turns the order round. What has no figure stays below.
const table = document.querySelector("table.runs");
const headings = [...table.tHead.rows[0].cells];
function key(row, column) {
  const cell = row.cells[column];
  return cell.dataset.value === undefined ? cell.textContent.trim().toLowerCase() : cell.dataset.value === "" ? null : Number(cell.dataset.value);
}
headings.forEach((heading, column) => {
  const button = heading.querySelector("button");
  if (!button) return;
  button.addEventListener("click", () => {
    const numbers = heading.classList.contains("figure");
    const before = heading.getAttribute("aria-sort");
    const way = before === null ? (numbers ? "descending" : "ascending") : before === "descending" ? "ascending" : "descending";
    headings.forEach((one) => one.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", way);
    const sign = way === "ascending" ? 1 : -1;
    const rows = [...table.tBodies[0].rows].map((row) => [key(row, column), row]);
    rows.sort(([a], [b]) => (a === null) - (b === null) || sign * (a < b ? -1 : a > b ? 1 : 0));
    table.tBodies[0].append(...rows.map(([, row]) => row));
  });
});
