# SPDX-License-Identifier: GPL-2.0-only
"""A grid of settings and policies, on all cores or a Dask cluster; resumable, in Parquet."""
