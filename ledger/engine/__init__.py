"""The rules engine: entries in, rows out of them, alerts out of rows. Pure: no clock, no IO, no randomness.

One entry goes through these, in this order (the loop around it is `ledger.evaluate`, and `ledger.follow` for replay, back-test
and recovery, which are the same fold):

1. `inputs`       stored bytes and facts → Input; a correction gets the record that it corrects (`corrections`)
2. `fold`         `Fold.step`: whose turn it is (`listening`: which topics hear of a record). A tick fires timers; any other
   entry is taken in as follows
3. `register`     what is known of enterprises, sites and persons, before anybody asks; `papers`: what came late for movements
4. `topics`       one module a subject matter; each takes the record in (or out again) and yields rows of its subjects. What
   several of them ask: `goods`, `people`, `books` (balances), `stores` (what lies where) and `postings`. `subjects` is what a row has to be, `registry`
   lists both; `topics.told` is for those that judge again what they said. A topic may have timers of its own (`Topic.timer`:
   what may lie in a store changes by itself), have records judged again that rest on one that was corrected (`Topic.again`),
   and read numbers of the rule set (`Topic.legal`: of the law, each with its history; `Topic.asks`: of the rules that listen)
5. each rule with what the state keeps of it: `heard`
   rules about how things stand (level subjects), and those that wait: `levels`: bands, waits (`timers`), one pending episode
   a fingerprint
   rules about what happened, and those with features: `windows`, on `watches` (which rows), `lanes` (the features' columns)
   and `courses` (when it held, and which alerts say so: `episodes`)
6. `alerts`       `AlertBook.say`: an alert, its exact payload, and its place in the engine's own book (`effects`)
7. `inhibition`, `restraints`, `lives`, `orders`, `life`: what keeps it down, and what becomes of it until it is closed
   (what late data show not to have been so when it was said is taken back, a step of its life: tests/engine/interleaving.py
   says what "the same findings in any interleaving" means)
   `revocations`, `voiding`: records that a revocation voids afterwards, and the one alert that lists them
8. `tablerows`, `liferows`: everything of a micro-batch as the rows of one commit

Beside the way of an entry:

- rule files: `ruletypes` is what a loaded one is, `rules` reads it and a set of them, with `yamlfile`, `limits`, `parameters`,
  `features`, `restraints`, `templates` (the words of reasons) and `expressions` (CEL and its guards; `transpile` is the same in
  Python, `conditiontree` the same for explanations); `rulelint` says all that is wrong, `ruletests` and `rulescript` run the
  tests that a file carries
- arithmetic without subject or rule: `statistics` (each formula with its source), `accounts`, `streams`, `periods`, `traces`, `days`,
  `ages`
- `state` is all that is remembered, one value; `ranges` keeps it within 64 bits; `contained` says which errors end the process
- `versions`: what happens where a rule set takes effect. A program whose engine differs folds on from the state that it finds,
  unless STATE_VERSION differs too: then from entry 0, at its first start, and the alerts that were said stand

To change something:

- a threshold: the rule's `parameters`, a new `version` of the rule; a number of law: `ledger/catalogue/SOURCES.md`
- a rule on rows that there are: its file (what it looks like: `rules`). `hazledger rules lint` names the subjects and fields
  that there are. Beside it, as tests remind: what its law is called and what its order asks for (ledger/guidance.py), Chinese
  words for what its alerts carry (webapp/portal/members.py), words of a new vocabulary in reasons (`templates`), README's list
  of rules and that of tests/engine/test_pack.py, planted cases and near misses (tests/scenario/plants)
- an aggregate that features can have: `features` (what may be declared) and `lanes` (how it is kept)
- what can be done about an alert: README, "Where to change what"
- a field of a row: the `Subject` of its topic and the row beside it (tests/engine/test_rows.py compares them), and its Chinese
  word in webapp/portal/members.py. Fields may be added freely, with the next release in tests/engine/data/subject_fields.json
  too. One that is taken away or renamed makes every rule set that read
  it unreadable, and with it the replay of the time that it governed: leave it, and let new rules use another
  (tests/engine/test_kept_fields.py)
- a topic: its module in `topics` (`topics.base` says what is asked of it), its part of `state.FoldState`, and in `registry` its
  place in TOPICS and `build_topics`, and in NEEDS what it reads of others. A part of the state that is new, gone or otherwise
  shaped asks for the next STATE_VERSION
"""
