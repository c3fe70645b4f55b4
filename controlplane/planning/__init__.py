"""RuleSet and fleet to a Plan: tables, routing rules, assignments."""
