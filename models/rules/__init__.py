"""The rule language and its packs. Text in, three-valued answers over whole batches out."""
