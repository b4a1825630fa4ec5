"""What a model is shown of a scene and of the search so far: pictures, tables and words, put
together from prompt files."""
