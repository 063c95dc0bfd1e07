"""The words of the console by place; dashboard.text puts them together."""
