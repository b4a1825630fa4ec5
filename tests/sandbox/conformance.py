"""Programs that any honest candidate might be: each is the body of a function and returns something
true."""

from __future__ import annotations

import textwrap

HONEST: dict[str, str] = {}


def source(name: str) -> str:
    """The whole program."""
    body = textwrap.indent(HONEST[name].strip("\n"), "    ")
    return (
        f"import numpy as np\n\ndef work(inputs, payload, outputs):\n{body}\n\ndef "
        "f(*arguments):\n    return bool(work(*arguments))\n"
    )


def _add(prefix: str, programs: str) -> None:
    for block in programs.strip("\n").split("## ")[1:]:
        title, _, body = block.partition("\n")
        HONEST[f"{prefix}:{title.strip()}"] = textwrap.dedent(body)


def _each(prefix: str, names: str, template: str) -> None:
    for name in names.split():
        HONEST[f"{prefix}:{name}"] = template.replace("NAME", name)


_each(
    "minimize",
    "Nelder-Mead Powell CG BFGS L-BFGS-B TNC COBYLA COBYQA SLSQP trust-constr",
    """
from scipy.optimize import minimize
r = minimize(lambda x: float(np.sum((x - [1.0, 2.0]) ** 2)), [0.0, 0.0], method="NAME"); return bool(abs(r.x - [1, 2]).max() < 1e-2)
""",
)
_each(
    "minimize",
    "Newton-CG dogleg trust-ncg trust-exact trust-krylov",
    """
from scipy.optimize import minimize
r = minimize(lambda x: float(x @ x), [1.0, 2.0], jac=lambda x: 2 * x, hess=lambda x: 2 * np.eye(2), method="NAME"); return bool(abs(r.x).max() < 1e-3)
""",
)
_each(
    "least_squares",
    "trf dogbox lm",
    """
from scipy.optimize import least_squares
t = np.linspace(0, 1, 20); y = 3 * np.exp(-2 * t)
r = least_squares(lambda p: p[0] * np.exp(-p[1] * t) - y, [1.0, 1.0], method="NAME"); return bool(abs(r.x - [3, 2]).max() < 1e-4)
""",
)
_each(
    "root",
    "hybr lm broyden1 anderson krylov df-sane",
    """
from scipy.optimize import root
return bool(root(lambda x: np.array(x) ** 3 - 1.0, [1.2], method="NAME").success)
""",
)
_each(
    "root_scalar",
    "bisect brentq brenth ridder toms748",
    """
from scipy.optimize import root_scalar
return abs(root_scalar(lambda x: x**3 - 2, bracket=[0, 2], method="NAME").root - 2 ** (1 / 3)) < 1e-6
""",
)
_each(
    "global",
    "differential_evolution dual_annealing shgo direct",
    """
from scipy import optimize
options = {} if "NAME" in ("shgo", "direct") else {"maxiter": 20, "rng": 0}
return float(optimize.NAME(lambda x: float(np.sum((x - 0.3) ** 2)), [(-1, 1), (-1, 1)], **options).fun) < 1e-2
""",
)
_add(
    "optimize",
    """
## basinhopping
from scipy.optimize import basinhopping
return basinhopping(lambda x: float(np.sum(x**2)), [1.0], niter=5).fun < 1e-6
## brute
from scipy.optimize import brute
return abs(float(brute(lambda x: (x[0] - 0.5) ** 2, [(0, 1)])[0]) - 0.5) < 1e-3
## curve_fit
from scipy.optimize import curve_fit
t = np.arange(10.0); return abs(curve_fit(lambda t, a, b: a * t + b, t, 2 * t + 1)[0][0] - 2) < 1e-6
## linprog
from scipy.optimize import linprog
return linprog([-1, -1], A_ub=[[1, 2]], b_ub=[4], bounds=[(0, 3)] * 2).success
## milp
from scipy.optimize import Bounds, milp
return milp([-1, -1], integrality=[1, 1], bounds=Bounds(0, 2.5)).success
## nnls_and_lsq_linear
from scipy.optimize import lsq_linear, nnls
return bool(nnls(np.eye(2), [1.0, 2.0])[1] < 1e-9 and lsq_linear(np.eye(2), [1.0, 2.0], (0, 1)).success)
## assignment
from scipy.optimize import linear_sum_assignment
return linear_sum_assignment([[1, 2], [2, 1]])[1].tolist() == [0, 1]
## minimize_scalar_and_fsolve
from scipy.optimize import fsolve, minimize_scalar
return abs(minimize_scalar(lambda x: (x - 2) ** 2).x - 2) < 1e-6 and abs(fsolve(lambda x: x**2 - 4, 1.0)[0] - 2) < 1e-6
""",
)
_each(
    "solve_ivp",
    "RK45 RK23 DOP853 Radau BDF LSODA",
    """
from scipy.integrate import solve_ivp
r = solve_ivp(lambda t, y: [y[1], -y[0]], (0, 3), [1.0, 0.0], method="NAME", rtol=1e-6, events=lambda t, y: y[0], dense_output=True)
return bool(abs(r.y[0, -1] - np.cos(3)) < 1e-3 and len(r.t_events[0]) == 1)
""",
)
_add(
    "scipy",
    """
## odeint_and_ode
from scipy.integrate import ode, odeint
a = odeint(lambda y, t: -y, 1.0, [0, 1])[-1, 0]
b = ode(lambda t, y: -y).set_integrator("dopri5").set_initial_value(1.0).integrate(1.0)[0]
return abs(a - np.exp(-1)) < 1e-5 and abs(b - np.exp(-1)) < 1e-5
## quadrature
from scipy.integrate import cumulative_trapezoid, dblquad, quad, simpson
return abs(quad(np.sin, 0, np.pi)[0] - 2) < 1e-9 and dblquad(lambda y, x: 1, 0, 1, 0, 1)[0] > 0.99 and simpson([1, 1, 1]) == 2.0
## interpolate
from scipy.interpolate import CubicSpline, PchipInterpolator, RBFInterpolator, RegularGridInterpolator, UnivariateSpline, griddata, interp1d
x = np.arange(6.0)
return all(np.isfinite(f(2.5)) for f in (CubicSpline(x, x**2), PchipInterpolator(x, x), UnivariateSpline(x, x), interp1d(x, x))) and \\
    np.isfinite(RBFInterpolator(x[:, None], x)([[2.5]])).all() and griddata(np.array([[0, 0], [1, 0], [0, 1], [1, 1.0]]), x[:4], [[0.3, 0.3]]).size == 1
## signal
from scipy import signal
x = np.sin(np.arange(200) / 5.0)
peaks, _ = signal.find_peaks(x)
smooth = signal.savgol_filter(x, 11, 3); low = signal.filtfilt(*signal.butter(2, 0.2), x)
return len(peaks) > 4 and signal.welch(x)[1].size > 0 and signal.detrend(low).size == smooth.size and signal.correlate(x, x).argmax() == 199
## fft
from scipy import fft
x = np.random.default_rng(0).normal(size=64); return bool(np.allclose(fft.ifft(fft.fft(x)).real, x) and fft.dct(x).size == 64)
## ndimage
from scipy import ndimage
image = np.zeros((20, 20)); image[3:7, 4:9] = 1; image[12:15, 12:15] = 1
labels, count = ndimage.label(image)
centre = ndimage.center_of_mass(image, labels, [1, 2])
moved = ndimage.shift(image, 0.5) + ndimage.rotate(image, 30, reshape=False) + ndimage.gaussian_filter(image, 1.0)
return count == 2 and abs(centre[0][0] - 4.5) < 1e-9 and moved.shape == (20, 20) and ndimage.distance_transform_edt(image).max() > 1
## spatial
from scipy.spatial import ConvexHull, Delaunay, KDTree, Voronoi
from scipy.spatial.distance import cdist, pdist
from scipy.spatial.transform import Rotation
p = np.random.default_rng(0).normal(size=(30, 2))
return KDTree(p).query(p[0])[0] == 0 and len(ConvexHull(p).vertices) > 2 and len(Delaunay(p).simplices) > 5 and len(Voronoi(p).regions) > 5 \\
    and cdist(p, p).shape == (30, 30) and pdist(p).size and abs(Rotation.from_euler("z", 90, degrees=True).as_matrix()[0, 1] + 1) < 1e-9
## stats
from scipy import stats
x = np.arange(30.0)
return abs(stats.linregress(x, 2 * x).slope - 2) < 1e-9 and stats.norm.cdf(0) == 0.5 and stats.gaussian_kde(x)(5.0) > 0 \\
    and abs(stats.theilslopes(x, x)[0] - 1) < 1e-9 and stats.ttest_ind(x, x).pvalue > 0.9 and stats.qmc.Sobol(2, rng=0).random(4).shape == (4, 2)
## linalg_and_sparse
from scipy import linalg, sparse
from scipy.sparse.linalg import eigsh, lsqr, spsolve
a = np.diag(np.arange(1.0, 9)); s = sparse.csr_matrix(a)
return bool(np.allclose(linalg.expm(np.zeros((3, 3))), np.eye(3)) and linalg.svdvals(a)[0] == 8 and np.allclose(spsolve(s.tocsc(), np.ones(8)), 1 / np.arange(1, 9))
            and eigsh(s, 2)[0].size == 2 and lsqr(s, np.ones(8))[0].size == 8 and linalg.cho_factor(a))
## cluster_special_odr
from scipy import odr, special
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.cluster.vq import kmeans2
p = np.r_[np.zeros((5, 2)), np.ones((5, 2))] + np.random.default_rng(0).normal(0, 0.01, (10, 2))
fit = odr.ODR(odr.Data(np.arange(5.0), 2 * np.arange(5.0)), odr.unilinear).run()
return len(set(kmeans2(p, 2, seed=0, minit="++")[1])) == 2 and fcluster(linkage(p), 2, "maxclust").max() == 2 and special.erf(0) == 0 and abs(fit.beta[0] - 2) < 1e-6
## misc_modules
from scipy import constants, differentiate, fftpack, io
return constants.g > 9 and fftpack.fft(np.ones(4))[0] == 4 and abs(differentiate.derivative(np.sin, 0.0).df - 1) < 1e-6
## workers_one
from scipy.optimize import differential_evolution
return differential_evolution(lambda x: float(x @ x), [(-1, 1)], maxiter=3, workers=1, rng=0).fun < 1
""",
)
_add(
    "numpy",
    """
## linear_algebra
a = np.random.default_rng(0).normal(size=(40, 40))
return bool(np.allclose(np.linalg.inv(a) @ a, np.eye(40)) and np.linalg.svd(a)[1][0] > 0 and np.linalg.eigvals(a).size == 40 and np.linalg.lstsq(a, a[0], rcond=None)[0].size)
## large_product
a = np.random.default_rng(0).normal(size=(400, 400)); return bool(np.isfinite(a @ a).all())
## random
np.random.seed(3); a = np.random.rand(); g = np.random.default_rng(1)
return 0 < a < 1 and g.choice(5) < 5 and g.permutation(4).size == 4 and np.random.RandomState(1).randn() and g.multivariate_normal([0, 0], np.eye(2)).size == 2
## fft_poly_einsum
x = np.arange(8.0)
return bool(np.allclose(np.fft.irfft(np.fft.rfft(x)), x) and abs(np.polyfit(x, 2 * x + 1, 1)[0] - 2) < 1e-9 and np.einsum("i,i->", x, x) == 140
            and np.polynomial.Polynomial.fit(x, x, 1)(3.0) and np.interp(2.5, x, x) == 2.5)
## warnings_and_errstate
import warnings
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    np.array([1.0]) / np.array([0.0])
with np.errstate(all="raise"):
    try:
        np.array([1.0]) / 0
    except FloatingPointError:
        return len(seen) == 1
## masked_strings_dates
return np.ma.array([1, 2], mask=[0, 1]).sum() == 1 and np.char.upper("a") == "A" and (np.datetime64("2020-01-02") - np.datetime64("2020-01-01")).astype(int) == 1
## in_memory_files
import io
buffer = io.BytesIO(); np.savez(buffer, a=np.arange(3)); buffer.seek(0); return np.load(buffer)["a"].tolist() == [0, 1, 2]
## show_and_print
print(np.arange(3), np.float32(1)); np.set_printoptions(precision=3); return "array" in repr(np.eye(2))
""",
)
_add(
    "cv2",
    """
## shapes
import cv2
image = np.zeros((64, 64, 3), np.uint8)
cv2.circle(image, (20, 20), 8, (255, 0, 0), -1, cv2.LINE_AA); cv2.rectangle(image, (40, 40), (50, 60), (0, 255, 0), 2); cv2.line(image, (0, 0), (63, 63), (1, 2, 3))
cv2.fillPoly(image, [np.array([[1, 1], [9, 1], [5, 9]])], (9, 9, 9)); cv2.ellipse(image, (30, 30), (9, 5), 20, 0, 360, (7, 7, 7), -1); cv2.putText(image, "a", (5, 50), 0, 1, (1, 1, 1))
cv2.polylines(image, [np.array([[1, 1], [9, 1]])], True, (1, 1, 1)); cv2.arrowedLine(image, (0, 0), (9, 9), (1, 1, 1)); cv2.drawMarker(image, (5, 5), (1, 1, 1)); return int(image.sum())
## contours_and_moments
import cv2
mask = cv2.circle(np.zeros((64, 64), np.uint8), (20, 30), 9, 255, -1)
contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
c = contours[0]; m = cv2.moments(c); cv2.HuMoments(m); cv2.minAreaRect(c); cv2.fitEllipse(c); cv2.minEnclosingCircle(c); cv2.boundingRect(c); cv2.convexHull(c); cv2.approxPolyDP(c, 1, True)
cv2.matchShapes(c, c, 1, 0); cv2.pointPolygonTest(c, (20.0, 30.0), True); cv2.arcLength(c, True); cv2.fitLine(c, cv2.DIST_L2, 0, 0.01, 0.01)
return abs(m["m10"] / m["m00"] - 20) < 0.1 and cv2.contourArea(c) > 200 and cv2.connectedComponentsWithStats(mask)[0] == 2
## filters
import cv2
image = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8); gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
for result in (cv2.GaussianBlur(image, (5, 5), 1), cv2.medianBlur(image, 3), cv2.bilateralFilter(image, 5, 10, 10), cv2.Canny(gray, 50, 100), cv2.Sobel(gray, cv2.CV_32F, 1, 0),
               cv2.Laplacian(gray, cv2.CV_32F), cv2.filter2D(gray, -1, np.ones((3, 3)) / 9), cv2.threshold(gray, 0, 255, cv2.THRESH_OTSU)[1], cv2.equalizeHist(gray),
               cv2.adaptiveThreshold(gray, 255, 0, 0, 5, 1), cv2.morphologyEx(gray, cv2.MORPH_OPEN, np.ones((3, 3))), cv2.distanceTransform(gray, cv2.DIST_L2, 3),
               cv2.fastNlMeansDenoising(gray), cv2.inpaint(image, (gray > 250).astype(np.uint8), 3, 0), cv2.pyrDown(image), cv2.integral(gray), cv2.inRange(image, (0, 0, 0), (9, 9, 9))):
    assert result.size
return cv2.absdiff(image, image).sum() == 0
## warps
import cv2
image = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
a = cv2.warpAffine(image, cv2.getRotationMatrix2D((32, 32), 30, 1.0), (64, 64), flags=cv2.INTER_LINEAR)
h, _ = cv2.findHomography(np.float32([[0, 0], [9, 0], [9, 9], [0, 9]]), np.float32([[1, 1], [9, 0], [9, 9], [0, 9]]), cv2.RANSAC)
cv2.warpPerspective(image, h, (64, 64)); cv2.remap(image, *np.float32(np.meshgrid(np.arange(64), np.arange(64))), cv2.INTER_CUBIC)
cv2.getRectSubPix(image, (9, 9), (20.5, 20.5)); cv2.estimateAffinePartial2D(np.float32([[0, 0], [1, 0], [0, 1]]), np.float32([[0, 0], [1, 0], [0, 1]]))
return cv2.resize(a, (32, 32), interpolation=cv2.INTER_AREA).shape == (32, 32, 3)
## features
import cv2
gray = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (128, 128), np.uint8), (7, 7), 2)
k, d = cv2.SIFT_create().detectAndCompute(gray, None); k2, d2 = cv2.ORB_create().detectAndCompute(gray, None)
matches = cv2.BFMatcher().knnMatch(d, d, k=2); corners = cv2.goodFeaturesToTrack(gray, 20, 0.01, 5)
cv2.cornerSubPix(gray, corners, (3, 3), (-1, -1), (3, 20, 0.03)); cv2.cornerHarris(np.float32(gray), 2, 3, 0.04); cv2.FastFeatureDetector_create().detect(gray)
return len(matches) > 0 and len(k2) > 0
## hough
import cv2
gray = cv2.circle(np.zeros((128, 128), np.uint8), (60, 60), 25, 255, 2); cv2.line(gray, (5, 120), (120, 118), 255, 2)
return cv2.HoughCircles(gray, cv2.HOUGH_GRADIENT, 1, 20, param1=100, param2=15) is not None and cv2.HoughLinesP(gray, 1, np.pi / 180, 40) is not None
## flow_and_tracking
import cv2
a = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (96, 96), np.uint8), (9, 9), 3); b = np.roll(a, 2, 1)
flow = cv2.calcOpticalFlowFarneback(a, b, None, 0.5, 3, 15, 3, 5, 1.2, 0)
points = cv2.goodFeaturesToTrack(a, 10, 0.01, 5); moved, status, _ = cv2.calcOpticalFlowPyrLK(a, b, points, None)
shift, _ = cv2.phaseCorrelate(np.float64(a), np.float64(b)); cv2.DISOpticalFlow_create(0).calc(a, b, None)
_, warp = cv2.findTransformECC(a, b, np.eye(2, 3, dtype=np.float32), cv2.MOTION_TRANSLATION)
return abs(np.median(flow[..., 0]) - 2) < 0.5 and bool(status.any()) and abs(shift[0] - 2) < 0.5
## segmentation
import cv2
image = np.full((48, 48, 3), 200, np.uint8); cv2.circle(image, (24, 24), 9, (20, 30, 160), -1)
mask = np.zeros((48, 48), np.uint8); cv2.grabCut(image, mask, (10, 10, 28, 28), np.zeros((1, 65)), np.zeros((1, 65)), 2, cv2.GC_INIT_WITH_RECT)
markers = np.zeros((48, 48), np.int32); markers[24, 24] = 1; markers[0, 0] = 2; cv2.watershed(image, markers)
cv2.floodFill(image.copy(), None, (0, 0), (1, 1, 1)); subtract = cv2.createBackgroundSubtractorMOG2(); [subtract.apply(image) for _ in range(3)]
return int((mask % 2).sum()) > 50
## kmeans_template_kalman
import cv2
data = np.float32(np.r_[np.zeros((20, 3)), np.ones((20, 3))]); cv2.setRNGSeed(1)
cv2.kmeans(data, 2, None, (3, 10, 1.0), 3, cv2.KMEANS_PP_CENTERS)
image = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
best = cv2.minMaxLoc(cv2.matchTemplate(image, image[10:20, 15:25], cv2.TM_CCOEFF_NORMED))[3]
kalman = cv2.KalmanFilter(4, 2); kalman.transitionMatrix = np.eye(4, dtype=np.float32); kalman.predict(); kalman.correct(np.zeros((2, 1), np.float32))
return best == (15, 10) and cv2.solvePnP(np.float64([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]), np.float64([[0, 0], [9, 0], [9, 9], [0, 9]]), np.eye(3), None)[0]
## codecs_in_memory
import cv2
done, data = cv2.imencode(".png", np.full((8, 8, 3), 7, np.uint8)); return done and cv2.imdecode(data, 1)[0, 0, 0] == 7
## threads_setting_is_ignored
import cv2
cv2.setNumThreads(4); return cv2.blur(np.zeros((512, 512, 3), np.uint8), (5, 5)).shape == (512, 512, 3)
## color_and_blend
import cv2
image = np.zeros((8, 8, 3), np.uint8); cv2.cvtColor(image, cv2.COLOR_RGB2HSV); cv2.cvtColor(image, cv2.COLOR_RGB2LAB); cv2.applyColorMap(image, cv2.COLORMAP_JET)
cv2.calcHist([image], [0], None, [8], [0, 256]); cv2.LUT(image, np.arange(256, dtype=np.uint8)); return cv2.addWeighted(image, 0.5, image, 0.5, 3)[0, 0, 0] == 3 and len(cv2.split(image)) == 3
""",
)
_add(
    "pymunk",
    """
## falling_ball
import pymunk
space = pymunk.Space(); space.gravity = 0, 100; body = pymunk.Body(1, 1); body.position = 0, 0
space.add(body, pymunk.Circle(body, 1)); [space.step(0.01) for _ in range(100)]; return abs(body.position.y - 50) < 1
## collision_handlers
import pymunk
space, seen = pymunk.Space(), []
for x, v in ((0, 5), (10, -5)):
    body = pymunk.Body(1, 10); body.position = x, 0; body.velocity = v, 0; shape = pymunk.Circle(body, 1); shape.elasticity = 1.0; shape.collision_type = 1; space.add(body, shape)
space.on_collision(1, 1, begin=lambda *a: seen.append("begin"), post_solve=lambda *a: seen.append("solve"), separate=lambda *a: seen.append("separate"))
[space.step(0.01) for _ in range(300)]; return "begin" in seen and "separate" in seen
## joints_and_motors
import pymunk
space = pymunk.Space(); space.gravity = 0, 9.8; a, b = pymunk.Body(1, 1), pymunk.Body(1, 1); b.position = 1, 0; space.add(a, b)
space.add(pymunk.PivotJoint(space.static_body, a, (0, 0)), pymunk.PinJoint(a, b), pymunk.SlideJoint(a, b, (0, 0), (0, 0), 0.5, 2), pymunk.DampedSpring(a, b, (0, 0), (0, 0), 1, 5, 0.1),
          pymunk.SimpleMotor(a, b, 1.0), pymunk.GearJoint(a, b, 0, 1), pymunk.RotaryLimitJoint(a, b, -1, 1), pymunk.GrooveJoint(space.static_body, b, (0, 0), (5, 0), (0, 0)))
[space.step(0.01) for _ in range(50)]; return bool(np.isfinite(b.position.x))
## polygons_queries_and_velocity_functions
import pymunk
space = pymunk.Space(); body = pymunk.Body(1, pymunk.moment_for_box(1, (2, 2))); box = pymunk.Poly.create_box(body, (2, 2)); box.friction = 0.5; space.add(body, box, pymunk.Segment(space.static_body, (-9, 5), (9, 5), 0.1))
body.velocity_func = lambda b, gravity, damping, dt: pymunk.Body.update_velocity(b, (0, 10), 0.99, dt)
[space.step(0.01) for _ in range(50)]; return body.position.y > 0.5 and space.point_query_nearest((0, 0), 99, pymunk.ShapeFilter()) is not None and body.angle == 0
""",
)
_add(
    "python",
    """
## dataclasses_with_string_annotations
code = "from __future__ import annotations\\nfrom dataclasses import dataclass, field, replace\\n@dataclass(frozen=True)\\nclass P:\\n    x: float = 1.0\\n    tail: list[float] = field(default_factory=list)\\n"
space = {"__name__": __name__}; exec(code, space); return space["P"](2.0).x == 2.0
## classes_enums_typing
from enum import Enum, auto
from typing import NamedTuple, Protocol, TypedDict
class Kind(Enum):
    A = auto()
class Point(NamedTuple):
    x: float
class Named(Protocol):
    name: str
class Row(TypedDict):
    x: float
return Kind.A.value == 1 and Point(2.0).x == 2.0 and Row(x=1.0)["x"] == 1.0
## logging_and_printing
import logging
import sys
logging.basicConfig(level=logging.INFO); logging.getLogger("x").info("hello"); logging.warning("careful"); print("out"); print("err", file=sys.stderr); return True
## warnings
import warnings
warnings.warn("once"); warnings.filterwarnings("ignore"); warnings.warn("never"); return True
## standard_library
import bisect, collections, copy, csv, datetime, decimal, fractions, functools, heapq, io, itertools, json, math, operator, random, re, statistics, string, struct, textwrap, time, uuid, zlib, colorsys, hashlib, base64, pickle, inspect, contextlib, abc, types, numbers, cmath, calendar, pprint, unicodedata, secrets, array, queue, threading, traceback, weakref, difflib, graphlib, enum, locale
queue.Queue().put(1); threading.Lock().acquire(); random.seed(1)
return pickle.loads(pickle.dumps({"a": 1}))["a"] == 1 and statistics.median([1, 2, 3]) == 2 and json.loads("[1]") == [1] and copy.deepcopy([1]) == [1] and datetime.datetime.now().year > 2000 \\
    and uuid.uuid4() and hashlib.sha256(b"").hexdigest() and inspect.signature(work) and time.strftime("%Y") and round(statistics.stdev([1, 2, 3, 4]), 3) == 1.291 and pprint.pformat([1]) == "[1]"
## time_and_sleep
import time
a = time.perf_counter(); time.sleep(0.01); return 0.005 < time.perf_counter() - a < 5 and time.time() > 1e9 and time.process_time() >= 0 and time.monotonic() > 0
## generators_closures_recursion
from functools import lru_cache, partial, reduce
@lru_cache(None)
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
return fib(60) == 1548008755920 and reduce(lambda a, b: a + b, (x for x in range(5))) == 10 and partial(pow, 2)(3) == 8
## exceptions_caught
try:
    {}["missing"]
except KeyError as error:
    import traceback
    return "missing" in traceback.format_exc() and error.args == ("missing",)
## big_arrays
a = np.zeros((500, 256, 256), np.float32); a += 1.0; return float(a.sum()) == a.size
## global_random
import random
random.seed(random.random()); return 0 <= np.random.rand() < 1 and 0 <= random.random() < 1
## environment_and_platform
import os, platform, sys
return os.cpu_count() is None or os.cpu_count() >= 1 and sys.version_info >= (3, 11) and os.getpid() > 0 and os.path.join("a", "b") and os.path.abspath("x") == "/x"
## re_and_source_of_itself
import inspect
return "def work" in inspect.getsource(work)
""",
)
_add(
    "tools",
    """
## import_all_that_a_program_may
import tools
from tools.physics import xp
from tools.types import Param, Scene, States
Param("g", 1.0, low=0.0, high=2.0); return States.of([{"a": {"x": 1.0}}]).columns == ("a.x",)
""",
)
JAX = """
import jax
import jax.numpy as jnp
from scipy.optimize import minimize
jax.config.update("jax_enable_x64", True)
def rollout(p):
    def step(c, _):
        x, v = c
        return (x + 0.1 * v, v - 0.1 * p[0] * x - 0.1 * p[1] * jnp.where(v > 0, v, v)), x
    return jax.lax.scan(step, (1.0, 0.0), None, length=30)[1]
target = rollout(jnp.array([2.0, 0.3]))
loss = jax.jit(jax.value_and_grad(lambda p: jnp.sum((rollout(p) - target) ** 2)))
fit = minimize(lambda p: tuple(np.asarray(v, float) for v in loss(jnp.asarray(p))), [1.5, 0.1], jac=True, method="L-BFGS-B")
many = jax.vmap(lambda s: jnp.linalg.norm(rollout(jnp.array([s, 0.1]))))(jnp.arange(1.0, 5.0))
big = jnp.ones((300, 300)) @ jnp.ones((300, 300))
return bool(abs(fit.x - np.array([2.0, 0.3])).max() < 1e-3 and many.shape == (4,) and float(big[0, 0]) == 300.0)
"""
