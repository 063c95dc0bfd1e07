"""The entries of the feature catalogue, by whom they speak of; models/features.py joins them."""
