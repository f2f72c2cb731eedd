"""The paper's experiments: data sets, correlation, tables and figures."""
