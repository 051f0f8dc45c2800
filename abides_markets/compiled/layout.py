"""Where everything lies in a market's buffer.

A market is one array of 64-bit words, seen as integers (`b`), as floats (`f`) and as 32-bit halves (`u`). A header of
named words comes first; then what never grows (agents and their streams, the oracle, subscriptions); then the tables
that grow. Names of header words hold positions, counts and offsets; names of fields are distances from a row's start.
"""

from __future__ import annotations

# Header: the clock, the counters that agents in Python go on counting, and the event that waits for one of them
NOW, NEXT_MESSAGE, NEXT_ORDER = 0, 1, 2
OUT_SENDER, OUT_RECIPIENT, OUT_ID, OUT_KIND = 3, 4, 5, 6
OUT_DATA, OUT_END = 7, 13
"""What the event says, and where that ends."""
OUT_EVENT = 13

# Header: limits and other counters
STOP, OPEN, CLOSE = 14, 15, 16
POPS = 17
AGENT_COUNT = 18
EXTRA_DELAY = 19
LADDER = 20
"""Largest number of orders that one message carries."""

# Header: growing tables (offset, rows in use, rows in all)
HEAP, HEAP_COUNT, HEAP_ROWS = 21, 22, 23
LEVELS = 24
"""Two words: the table of the bids and of the asks."""
LEVEL_COUNT = 26
"""Two words."""
LEVEL_ROWS = 28
HISTORY, HISTORY_COUNT, HISTORY_ROWS = 29, 30, 31
QUOTES, QUOTE_COUNT, QUOTE_ROWS = 32, 33, 34
FILLS, FILL_COUNT, FILL_ROWS = 35, 36, 37

# Header: growing pools, whose rows are taken and given back (`pool.py`)
POOL_FREE, POOL_FREE_COUNT, POOL_ROWS, POOL_TOUCHED = range(1, 5)
"""Distances from a pool's offset: the last row given back (or `NONE`), rows free, rows in all, rows ever in use."""
EVENTS, RECORDS, ORDERS, SNAPSHOTS, WAITING = 38, 43, 48, 53, 58
EVENT_FREE_COUNT, EVENT_ROWS = EVENTS + POOL_FREE_COUNT, EVENTS + POOL_ROWS
RECORD_FREE_COUNT, RECORD_ROWS = RECORDS + POOL_FREE_COUNT, RECORDS + POOL_ROWS
ORDER_FREE_COUNT, ORDER_ROWS = ORDERS + POOL_FREE_COUNT, ORDERS + POOL_ROWS
SNAPSHOT_FREE_COUNT, SNAPSHOT_ROWS = SNAPSHOTS + POOL_FREE_COUNT, SNAPSHOTS + POOL_ROWS
WAITING_FREE_COUNT, WAITING_ROWS = WAITING + POOL_FREE_COUNT, WAITING + POOL_ROWS

# Header: what never grows
AGENTS = 63
SUBSCRIPTIONS, SUBSCRIPTION_COUNT = 64, 65
CLOSERS, CLOSER_COUNT = 66, 67
ORACLE = 68
SCRATCH = 69
"""Where the normal value of an order's size is made."""
YOUNG_SCRATCH = 70
"""Where words of young streams are made."""
SIZE_LAW = 71
MASTER = 72
FIXED_END = 73

# Header: book and exchange
LAST_TRADE = 74
DEPTH = 75
"""Two words: visible shares to buy and to sell."""
MID2 = 77
ONE_SIDED = 78
DISCARDED = 79
COMPUTATION_DELAY = 80
PIPELINE_DELAY = 81
MAKERS_REQUOTE = 82
REPORT_UNFILLED = 83
MARKET_ORDERS_UPDATE = 84
MARKET_ORDER_TIME = 85
"""Time of the last market order, ns since the epoch: one that meets nothing leaves no history."""

# Header: the execution slot
READY = 86
"""Whether the slot waits for somebody outside: `VIEW_READY` for a decision, `ORDER_DONE` for nothing more."""
DECIDED = 87
"""Whether a decision has been handed in that is not carried out yet; what it says follows."""
DECIDED_MARKET, DECIDED_LIMIT, DECIDED_PRICE, DECIDED_CANCEL = 88, 89, 90, 91
SLOT_BLOCK = 92
"""Where the slot's block starts; 0 in a market without a slot."""

# Header: limits of the tables
LACKING = 93
"""Offset of the table that has no room for what comes next."""
MOST_RESTING, HALTED = 94, 95
"""Orders that may rest in the book, and whether there were more: that ends the run."""
HEADER = 96

LINE = 8
"""Words of a line of the processor's cache: rows that are touched together lie in as few lines as possible."""

# Rows of the event queue, a binary heap ordered by the first three
HEAP_WORDS = 4
HEAP_TIME, HEAP_PARTIES, HEAP_ID, HEAP_EVENT = 0, 1, 2, 3
PARTY_BITS = 32
"""A row's parties are the sender, shifted by these bits, plus the recipient."""

# Rows of what waits for a busy recipient: the last three words of an entry of the queue, and two links
WAITING_WORDS = 5
WAITING_LEFT, WAITING_RIGHT = 0, 4

# Rows of events: a kind, a link, and what the message says
EVENT_WORDS = 8
KIND, LINK, DATA = 0, 1, 2
(
    WAKEUP,
    HOURS_REQUEST,
    HOURS,
    CLOSE_PRICE_REQUEST,
    CLOSE_PRICE,
    SUBSCRIBE,
    QUERY_SPREAD,
    SPREAD,
    QUERY_VOLUME,
    VOLUME,
    LIMIT,
    CANCEL,
    BATCH,
    ACCEPTED,
    EXECUTED,
    CANCELLED,
    IMBALANCE_START,
    IMBALANCE_FINISH,
    MARKET_CLOSED,
    MARKET,
    QUERY_LAST_TRADE,
    LAST_TRADE_REPLY,
    MORE,
) = range(23)

# Rows of records: an agent's open order as the agent believes it
RECORD_WORDS = 8
R_ID, R_AGENT, R_QUANTITY, R_PRICE, R_SIDE, R_BEFORE, R_AFTER, R_ORDER = range(8)

# Rows of orders: an order that rests in the book
ORDER_WORDS = 8
O_ID, O_AGENT, O_QUANTITY, O_PRICE, O_SIDE, O_BEFORE, O_AFTER, O_RECORD = range(8)

# Rows of levels, the best last
LEVEL_WORDS = 4
L_PRICE, L_TOTAL, L_FIRST, L_LAST = range(4)

# Rows of the history of the book
HISTORY_WORDS = 11
(
    H_TYPE,
    H_TIME,
    H_ORDER,
    H_AGENT,
    H_OPPOSITE_ORDER,
    H_OPPOSITE_AGENT,
    H_SIDE,
    H_QUANTITY,
    H_PRICE,
    H_MID2,
    H_ONE_SIDED,
) = range(11)
ENTERED, MATCHED, WITHDRAWN = 0, 1, 2
H_AHEAD = H_OPPOSITE_ORDER
"""In a row of an entry: visible shares ahead of the order at its price."""

# Rows of quotes: the book after an event that changed its best quotes or depth
QUOTE_WORDS = 7
W_TIME, W_BID, W_BID_SIZE, W_ASK, W_ASK_SIZE, W_BID_DEPTH, W_ASK_DEPTH = range(7)

# Rows of fills: executions as the slot learns of them
FILL_WORDS = 3
F_ORDER, F_PRICE, F_QUANTITY = range(3)

# Rows of snapshots, on their way to an agent in Python: levels in a chain, the bids first, each best first
SNAPSHOT_WORDS = 3
D_PRICE, D_TOTAL, D_AFTER = range(3)

BID, ASK = 0, 1
NONE = -1

# Rows of agents, four lines of the cache: what most events touch comes first
AGENT_WORDS = 4 * LINE
(
    A_KIND,
    A_FREE,
    A_DELAY,
    A_TO_EXCHANGE,
    A_FROM_EXCHANGE,
    A_TIME,
    A_STREAM,
    A_BLOCK,
    A_HOURS,
    A_CLOSED,
    A_CLOSE_PRICE,
    A_STATE,
    A_BID,
    A_ASK,
    A_LAST_TRADE,
    A_KNOWS_TRADE,
    A_FIRST_WAKE,
    A_SIZE_MODEL,
    A_SIZE,
    A_CASH,
    A_SHARES,
    A_FIRST_RECORD,
    A_LAST_RECORD,
    A_BOUGHT,
    A_SOLD,
    A_WAITING,
    A_WAITING_COUNT,
    A_WAITING_TIME,
) = range(28)
EXCHANGE, NOISE, VALUE, MOMENTUM, MAKER, PYTHON, EXECUTION = range(7)
IDLE, AWAITING_SPREAD = 0, 1

# Blocks: what only one kind of agent has
NOISE_WORDS = 1
N_WAKE = 0
VALUE_WORDS = 10
V_BELIEF, V_VARIANCE, V_UPDATED, V_SIGMA_N, V_R_BAR, V_KAPPA, V_SIGMA_S, V_LAMBDA, V_AGGRESSIVE, V_DEPTH = range(10)
SHORT_WINDOW, LONG_WINDOW = 20, 50
MOMENTUM_WORDS = 3 + LONG_WINDOW
P_COUNT, P_PERIOD, P_POISSON, P_MIDS = range(4)
MAKER_WORDS = 25
(
    M_POV,
    M_LEAST,
    M_ADAPTIVE,
    M_WINDOW,
    M_ANCHOR,
    M_TICKS,
    M_SPACING,
    M_PERIOD,
    M_POISSON,
    M_CANCEL_DELAY,
    M_SKEW_BETA,
    M_HAS_PRICE_SKEW,
    M_PRICE_SKEW,
    M_ALPHA,
    M_BACKSTOP,
    M_THRESHOLD,
    M_SUBSCRIBED,
    M_AWAITS_SPREAD,
    M_AWAITS_VOLUME,
    M_BUY_SIZE,
    M_SELL_SIZE,
    M_HAS_MID,
    M_MID,
    M_SPREAD,
    M_TICK,
) = range(25)
ANCHORS = ("middle", "bottom", "top")
MIDDLE, BOTTOM, TOP = range(3)

# What the slot shows at a decision: the words of `agents.views.VIEW`
VIEW_LEVELS, VIEW_PAST = 5, 3
(
    VIEW_ELAPSED,
    VIEW_WINDOW,
    VIEW_INTERVAL,
    VIEW_SIDE,
    VIEW_PARENT,
    VIEW_FILLED,
    VIEW_LEFT,
    VIEW_RESTING,
    VIEW_RESTING_PRICE,
    VIEW_ARRIVAL2,
    VIEW_MID2,
    VIEW_LAST_TRADE,
) = range(12)
VIEW_BID_PRICE, VIEW_BID_SIZE, VIEW_ASK_PRICE, VIEW_ASK_SIZE = 12, 17, 22, 27
VIEW_BID_TOTAL, VIEW_ASK_TOTAL, VIEW_VOLUME, VIEW_MID2_PAST = 32, 33, 34, 35
VIEW_WORDS = 38
BOOK_WORDS = 4 * VIEW_LEVELS + 2
"""What a view says of the book: prices and sizes of both sides, and the shares of all levels."""

EXECUTION_WORDS = 25 + BOOK_WORDS + VIEW_WORDS
(
    E_SIDE,
    E_QUANTITY,
    E_START,
    E_WINDOW,
    E_INTERVAL,
    E_SWEEP,
    E_SETTLEMENT,
    E_FILLED,
    E_ARRIVAL2,
    E_END_MID2,
    E_FINISHED,
    E_MID2,
    E_PAST_COUNT,
    E_PAST,
) = range(14)
(
    E_AWAITING,
    E_SWEEPING,
    E_PENDING,
    E_PENDING_MARKET,
    E_PENDING_LIMIT,
    E_PENDING_PRICE,
    E_SHOWN,
    E_SHOWN_AT,
    E_FILLS_FROM,
    E_BOOK,
) = range(E_PAST + VIEW_PAST, E_PAST + VIEW_PAST + 10)
E_VIEW = E_BOOK + BOOK_WORDS
"""E_SHOWN: time from the start of the window to the last decision shown, ns, −1 before the first. E_SHOWN_AT: when it
was shown. E_FILLS_FROM: number of fills shown before it. E_BOOK: the last book that came. E_VIEW: the last view."""
NOTHING, FOR_DECISION, FOR_SWEEP, FOR_END = range(4)
VIEW_READY, ORDER_DONE = 1, 2

SUBSCRIPTION_WORDS = 5
S_AGENT, S_THRESHOLD, S_ACTIVE, S_SIDE, S_IMBALANCE = range(5)

ORACLE_WORDS = 14
(
    Q_TIME,
    Q_VALUE,
    Q_MEAN,
    Q_KAPPA,
    Q_DRIFT,
    Q_VOLATILITY,
    Q_SHOCK_RATE,
    Q_SHOCK_MEAN,
    Q_SHOCK_SD,
    Q_SHOCK_TIME,
    Q_SHOCK_VALUE,
    Q_CLOSE,
    Q_STREAM,
) = range(13)
NEVER = 2**62
"""Time of a shock that does not come, ns."""
