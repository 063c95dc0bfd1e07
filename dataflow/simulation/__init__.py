"""A seeded world of cross-border commerce: who pays whom, when, from where, and what goes wrong with it.

    geography   countries, currencies, corridors, trades (data)
    world       customers, merchants, partners, payees drawn once from the seed
    rhythm      local hours, weekdays, paydays and sale days
    habits      one day of ordinary life, drawn in numpy
    craft       single payments and behaviour events, for the scenarios
    scenarios   injected typologies, a registry
    labels      when and by whom a fraud becomes known
    clear       the same events as a sender hands them to the door
    manifest    what a recorded stream holds
    hostile     a clean stream made late, doubled, contradicting and malformed

Every day is a pure function of (seed, parameters, day): nothing depends on how far the stream was read.
"""
