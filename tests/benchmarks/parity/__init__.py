"""One row through scikit-learn and through every way in: random pipelines, wild cells, and the greatest difference."""
