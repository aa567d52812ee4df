"""Every bound in one place, and what happens when it is reached.

Protocol limits must agree on both sides (docs/protocol.md section 4); local limits may differ. Sizes are bytes, times
are milliseconds, except where a bound says that it is in seconds.
"""

from typing import Final

# --- protocol: both sides must agree ---------------------------------------------------------------------------------
WIRE_VERSION: Final = 1
"""The one version of this specification. Another version is refused; there is no negotiation."""

TEXT_BYTES_MAX: Final = 32_768
"""UTF-8 bytes of one statement's text. Longer: refused before it is queued, nothing is cut."""

FIELDS_MAX: Final = 16
"""Typed fields of one statement. More: refused before it is queued, and refused when it arrives."""

PLACE_MAX: Final = 100
"""Code points of a place's name. Longer: refused in the same way."""

ADDRESSEES_MAX: Final = 16
"""Addressees of one statement, for action and for information. More: refused here, and when it arrives."""

ADDRESSEE_MAX: Final = 64
"""Code points of an addressee, and of the originator's reference. Longer: refused in the same way."""

PADDING_CLASSES: Final = (128, 256, 512, 1_024, 2_048, 4_096, 8_192, 16_384, 34_816)
"""Lengths of a padded inner content. Content that fits none is refused before sealing."""

ENVELOPE_BYTES_MAX: Final = 36_864
"""A whole envelope. Longer: refused by relays and terminals before anything else is looked at."""

FRAME_BYTES_MAX: Final = 40_960
"""One frame on a stream. Longer: refused, the stream goes on."""

PARCEL_BYTES_MAX: Final = 65_536
"""One gRPC message, several frames. gRPC refuses a longer one and the stream breaks: senders split."""

FRAMES_PER_PARCEL_MAX: Final = 256
"""Frames in one gRPC message. More: the rest of the parcel is refused with one record."""

DURABLE_SKIP_MAX: Final = 4_096
"""How far a durable chain may jump forward in one envelope. Further: not opened, and a key request is sent."""

TRANSIENT_SKIP_MAX: Final = 4_096
"""The same for the transient chain (heartbeats). Both bound the work that one forged header can cause."""

LOOK_AHEAD_MAX: Final = 16_384
"""Steps of one path along chains of which nothing has opened, in LOOK_AHEAD_INTERVAL. Beyond: a key request is sent."""

OPENERS_TRIED_MAX: Final = 24
"""Openers of one path, by prekey and plane, that are tried in vain in one LOOK_AHEAD_INTERVAL. More: not opened."""

LOOK_AHEAD_INTERVAL: Final = 1_000
"""For how long these, and what else a path may have tried, are counted together."""

TRANSIENT_KEYS_KEPT: Final = 4_096
"""Keys of overtaken heartbeats kept per epoch: as many as may be passed over at once. Full: the oldest is forgotten."""

SKIPPED_KEYS_MAX: Final = 4_096
"""Message keys kept for envelopes that were overtaken, per epoch. Full: the oldest is forgotten; the sender repeats."""

EPOCHS_KEPT_MAX: Final = 8
"""Receiving epochs kept alive. Full: the oldest is forgotten; an envelope under it causes a key request."""

EPOCH_MESSAGES_MAX: Final = 65_536
"""Envelopes sealed in one epoch (both chains). Reached: the next envelope opens a new epoch."""

PREKEYS_KEPT_MAX: Final = 6
"""Own prekey secrets kept. Full: the oldest is destroyed."""

RECEIPT_ITEMS_MAX: Final = 256
"""Statements named in one receipt. More: several receipts; a receipt with more is refused."""

SERVICE_TEXT_BYTES_MAX: Final = 1_000
"""UTF-8 bytes of what an operator says on the SERVICE plane. Longer: refused before it is queued, nothing is cut."""

SERVICE_BEATS: Final = 4
"""Every so many beats one may tell of the SERVICE plane. A peer that tells of it otherwise is understood as well."""

SERIAL_MAX: Final = 2**40
"""Highest serial or ledger size that a peer may name. Beyond: refused; no ledger could write it down."""

SERIAL_SKIP_MAX: Final = 65_536
"""Serials of ours passed over in a minute on a terminal's word; of several others in a run. Beyond: not believed."""

RENUMBERED_MAX: Final = 8
"""New serials of one statement that one of several parties or terminals contradicts. Beyond: it goes without."""

OWED_AGAIN_MAX: Final = 8
"""Times in a run that one statement is owed again to a peer that names another in its place. Beyond: passed over."""

TIME_MAX: Final = 253_402_300_799_999
"""The last millisecond of the year 9999. A later written time, or a longer validity, is refused."""

PARTIES_MAX: Final = 5
"""Parties of one charter. More: no such charter is drawn up or loaded; each statement is sealed once for each party."""

GOSSIP_ITEMS_MAX: Final = 8
"""Statements of a third party that one heartbeat names, per plane. More: refused, and none says more."""

RELEASES_MAX: Final = 4
"""Officers' signatures on one statement. More: refused, and no charter asks for more."""

MANDATE_BYTES_MAX: Final = 8_192
"""A mandate beside a signature. Longer: refused, and none is made."""

# --- local: terminal -------------------------------------------------------------------------------------------------
OUTBOX_MAX: Final = 1_000
"""Statements accepted and not yet delivered, per plane. Full (of several: for all): a submit is refused and says so."""

OUTBOX_BYTES_MAX: Final = 16 * 1_048_576
"""The same in bytes of text."""

SERVICE_OUTBOX_MAX: Final = 100
"""What operators have said and the peer does not have yet. Full: a submit is refused and says so."""

SERVICE_STUCK: Final = 60_000
"""How long operators' talk waits for statements none of which moves: then it holds nothing up, and may say why."""

CHALLENGE_RECORD_PATIENCE: Final = 120_000
"""How long the other terminal's answer to a challenge may take before it is an alarm."""

CHALLENGE_OFFICER_PATIENCE: Final = 600_000
"""The same for a person's answer, from the terminal's on."""

CHALLENGES_KEPT_MAX: Final = 1_000
"""Challenges of both ways that are listed. Full: the oldest is forgotten; the ledger has them all."""

HANDOVER_NOTES_MAX: Final = 4_000
"""UTF-8 bytes of what the outgoing officer adds to a handover. More: refused, nothing is signed."""

HANDOVER_LIST_HOLDS: Final = 600_000
"""How long the list of a handover can be signed after it was shown. Later: `changed`, it is shown anew."""

CHECKLIST_STEPS_MAX: Final = 100
"""Steps of a checklist. More: refused."""

CHECKLIST_REASON_MAX: Final = 500
"""UTF-8 bytes of why a step was skipped. More: refused."""

SERVICE_GAP_PATIENCE: Final = 60_000
"""How late operators' talk may be before it is reported as missing: it is the last in every queue."""

INBOX_HELD_MAX: Final = 1_000
"""Statements received out of order and held back, in each stretch. Full: not acknowledged; the sender repeats later."""

MOVED_MAX: Final = 10_000
"""Renumbered statements of the peer that are known again; beyond, the oldest is forgotten."""

READ_RECEIPTS_PENDING_MAX: Final = 1_000
"""READ, SHOWN and REPLY-BY receipts not yet noted by the peer. Full: the oldest is not repeated any more."""

WATCHED_MAX: Final = 10_000
"""Statements of one way that nobody has read and whose time is watched. Full: the oldest is not watched any more."""

ALARM_COMMAND_TIMEOUT: Final = 10_000
"""How long the command for an alarm may run. Longer: it is ended, and that is an alarm of its own."""

ALARM_INTERVAL: Final = 10_000
"""Least time between two alarms of a kind and plane that another's word alone raises. Earlier: told with the next."""

LISTED_MAX: Final = 500
"""Statements, and channel tests, in one answer to whoever lists them. More: the newest, and older ones by serial."""

UNREAD_SHOWN_MAX: Final = 100
"""Unread serials of a plane that a status and the list of a handover name, the oldest first. More are counted."""

PROMISES_SHOWN_MAX: Final = 50
"""Promised answers that a status lists. More are in the statements themselves."""

REFUSALS_RECORDED_PER_MINUTE: Final = 60
"""Refusal records per path and minute. More are counted and recorded as one number: a flood cannot fill the ledger."""

KEY_REQUEST_INTERVAL: Final = 1_000
"""Least time between two key requests sent, and between two obeyed. Earlier ones are dropped."""

SIGNATURES_TRIED_MAX: Final = 16
"""Key requests of one terminal, and forged CUSTODY, verified of one path in LOOK_AHEAD_INTERVAL. More: passed over."""

PREKEY_GRACE: Final = 600_000
"""How long a prekey secret outlives the first use of a newer one, for envelopes still under way."""

CLOCK_SKEW_ALARM: Final = 30_000
"""Difference between the peer's written time and ours that is recorded and shown. Nothing else depends on it."""

CLOCK_STEP_RECORD: Final = 5_000
"""Difference between the course of the wall clock and of the monotonic clock that is recorded as a clock step."""

BUNDLE_BYTES_MAX: Final = 48 * 1_048_576
"""One courier bundle. Statements that do not fit it wait for the next one, and whoever asked is told how many."""

BUNDLE_PIECE_BYTES: Final = 65_536
"""A piece of a bundle on the operator socket."""

BUNDLE_ENVELOPES_MAX: Final = 2_500
"""Envelopes in one bundle. The same."""

BUNDLE_RECEIPTS_MAX: Final = 1_024
"""The newest statements of each plane that a bundle acknowledges. Older ones are acknowledged when a path lives."""

NONPAPER_KEPT: Final = 86_400_000
"""How long the text of a non-paper is kept after it was read, or expired. Over: its key is destroyed."""

NONPAPERS_KEPT_MAX: Final = 2_048
"""Texts of non-papers kept, sent and received each. Full: the one finished first goes; else no further one is taken."""

MIRROR_BATCH: Final = 64
"""Statements asked of a sibling in one heartbeat (23.7), and serials asked about at once (23.4). More: the next."""

TAKEOVER_CEILINGS: Final = 2
"""Silence that a rule of takeover (23.13) asks for at least, in the longest `silent_ceiling_ms` of the relays."""

TAKEOVERS_TOLD_MAX: Final = 64
"""Takeovers by the rule that ring in one run (23.15). More are only records: a term costs who has the key nothing."""

TRAVELS_MAX: Final = 90 * 86_400_000
"""Longest time for which a travelling terminal is activated (24.13)."""

VOICES_WAITING_MAX: Final = 256
"""Statements of terms of which the peer's signed word is not here yet. Full: `late-voice` rings at once (23.9)."""

COURIER_ROTATION: Final = 7 * 86_400_000
"""How old the newest courier prekey may be before another is made."""

COURIER_VALIDITY: Final = 90 * 86_400_000
"""How long a courier prekey may be used, counted from its making."""

COURIER_PREKEYS_KEPT_MAX: Final = 16
"""Own courier prekey secrets kept: more than rotation makes within their validity. Full: the oldest is destroyed."""

KEY_ELSEWHERE_INTERVAL: Final = 60_000
"""Least time between two alarms that a relay has given our place to another holder of our key."""

KEY_ELSEWHERE_SHOWN: Final = 3_600_000
"""How long that alarm stands in the status after the last time."""

DTG_AHEAD_MAX: Final = 7_200_000
"""How far a date-time group may be ahead of the time of composition. Beyond, groups begin again at that time."""

DRAFTS_MAX: Final = 100
"""Open drafts at a terminal. Full: another is refused until one is released or rejected."""

DRAFTS_FINISHED_KEPT: Final = 200
"""Drafts that were released or rejected and can still be looked at. Beyond, the oldest is forgotten."""

PRESENCE_ASK_INTERVAL: Final = 10_000
"""Least time between two questions to the peer's duty officer. Earlier ones are refused."""

IDLE_BEAT_FACTOR: Final = 5
"""Heartbeats on a path where the peer is not heard are this many times rarer."""

FRESH_ECHO_BEATS: Final = 64
"""How many of our last beats on a path an echo may name and still count as fresh."""

STATUS_JSON_MAX: Final = 1_048_576
"""Size of one status answer on the operator socket."""

LOG_EPOCHS_AHEAD_MAX: Final = 1_000
"""How far above the newest log epoch known of a terminal the next one may lie. Beyond: the head is refused."""

LOG_EPOCHS_INTERVAL: Final = 3_600_000
"""How long after a log epoch lay too far ahead LOG_EPOCHS_AHEAD_MAX more are let in."""

LEDGER_ALARMS_MAX: Final = 64
"""Alarms about one terminal's ledger in one run, of each of two kinds: another log, a contradiction. More: not told."""

WATCH_QUEUE_MAX: Final = 1_000
"""Events waiting for one slow watcher. Full: that watcher is told how many it missed."""

UNHEARD_ALARMS_MAX: Final = 64
"""Alarms kept at a window for the next who watches there. Full: the oldest is forgotten; the ledger has them all."""

DRIVER_QUEUE_MAX: Final = 20_000
"""Outputs waiting for one commit. Full: frames are no longer read from the streams until the disk has caught up."""

STREAMS_PER_CERTIFICATE: Final = 4
"""Streams that one terminal may have open. More: its oldest is given up: it can lock out neither itself nor others."""

LINK_QUEUE_BYTES_MAX: Final = 4 * 1_048_576
"""Bytes waiting for one stream of a terminal; a relay's has room for a whole mailbox more. Full: a terminal opens the
stream anew, a relay drops what came last of whoever has most in it (5.25); what is not acknowledged is sent again."""

STREAM_PATIENCE: Final = 300.0
"""Seconds that one write onto a stream may last: more than a parcel takes at 2,400 bits in one. Longer: given up."""

WITNESS_INTERVAL: Final = 10_000
"""How often the newest head is given to witnesses and peer, also when nothing happened: its rhythm tells nothing."""

WITNESS_SECONDS: Final = 60.0
"""Seconds that one question to a witness may take. Longer: it is given up, and the next head is a new one."""

WITNESS_SILENCE: Final = 5.0
"""Seconds for which a terminal that asks waits for a byte, a witness twice that. Longer: it is given up."""

WITNESS_ANSWER_MAX: Final = 65_536
"""Bytes of a witness's answer that are read. What is behind them is passed over."""

QUORUM_PATIENCE: Final = 60_000
"""Without a quorum of witnesses for so long, an alarm. Messages never wait for witnesses."""

ROUNDS_KEPT: Final = 32
"""Heads given to witnesses and not forgotten yet. A cosignature over an older one is dropped."""

CLAIMS_WAITING_MAX: Final = 64
"""Signed heads in what the peer says, not looked at yet. Full: the oldest is passed over; its statement keeps it."""

CLAIMS_DELAY: Final = 200
"""How long such a head may wait: off the way of the statement that brought it."""

LOG_ENTRIES_MAX: Final = 1_000_000
"""Entries of one log epoch. Reached: the log is closed and a new one opened."""

OLD_LOG_GRACE: Final = 600_000
"""How long heads of a log that the peer has left may still be under way."""

TEST_GRACE_MAX: Final = 300_000
"""How late a channel test or its receipt may be, at most; a quarter of the interval if that is less."""

TEST_VALIDITY_UNSCHEDULED: Final = 1_800_000
"""Validity of a channel test that an officer sends where the charter schedules none."""

TAKEN_DELAY: Final = 5
"""How long a TAKEN waits for other frames to leave with. Well below RELAY_LINGER."""

TAKEN_WAITING_MAX: Final = 256
"""Names in the TAKEN that waits for one relay. Full: it leaves at once."""

SUMMARY_INTERVAL: Final = 60_000
"""How often the record tells of the heartbeats: one entry instead of hundreds."""

LEAF_BYTES_MAX: Final = 4_096
"""One ledger leaf. Longer: none is made, and none is taken for one."""

ENTRY_SERIALS_MAX: Final = 2_048
"""Serials that one ledger entry names in ranges: more than any frame or box holds. More: the entry is not lawful."""

CHARTER_BYTES_MAX: Final = 122_880
"""A charter that is activated in service. A longer one is activated by a restart."""

CHARTER_PATIENCE: Final = 30_000
"""How long two terminals may say that they stand under different charters before it is an alarm."""

OPERATOR_CONNECTIONS_MAX: Final = 64
"""Open connections at one operator socket, of three files each. More: the oldest of whoever has most is closed."""

OPERATOR_REQUEST_BYTES_MAX: Final = 131_072
"""One request on the operator socket. Longer: gRPC refuses it."""

OPERATOR_ANSWER_BYTES_MAX: Final = 67_108_864
"""One answer on the operator socket: more than the longest list takes. Longer: a client refuses it."""

TRANSLATIONS_SHOWN_MAX: Final = 16
"""Translations shown beside one statement. More: the newest; each that came or went is still shown by itself."""

GOSSIP_TOLD: Final = 3
"""In how many heartbeats a statement of a third party is named at once. What they all lost comes again in its turn."""

GOSSIP_SHOWN_AGAIN: Final = 10_000
"""After so long a third party's statement is shown again to one that still names another; then after twice that."""

GOSSIP_CLAIMS_MAX: Final = 256
"""What others say of a third party's statements that are not here yet. Full: the oldest is not compared."""

GOSSIP_CONTENT_MAX: Final = 32_768
"""Bytes of a statement that is shown to whoever holds it otherwise. Longer: the ledgers decide, held together."""

# --- local: relay ----------------------------------------------------------------------------------------------------
MAILBOX_ENVELOPES_MAX: Final = 4_000
"""Envelopes held for one terminal, in shares (5.24). Full: refused, MAILBOX_FULL; the sender keeps its statement."""

MAILBOX_BYTES_MAX: Final = 32 * 1_048_576
"""The same in bytes."""

MAILBOX_RETENTION: Final = 7 * 86_400_000
"""How long a relay holds an envelope. Then it is dropped; the sender still has the statement."""

RELAY_RATE_PER_SECOND: Final = 4_000
"""Envelopes taken from one terminal per second (token bucket, burst twice that). More: refused with TOO_FAST."""

RELAY_LINGER: Final = 20
"""How long storing waits for the TAKEN of who is attached: longer than a delivery on one site with TAKEN_DELAY."""

WITNESS_CONNECTIONS_MAX: Final = 64
"""Open connections at one witness. More: the oldest of whoever has most is closed; terminals ask again."""

WITNESS_EVIDENCE_MAX: Final = 100
"""Contradicting heads that a witness keeps of one log, whatever its log epoch, and as many again of those that convict
it by themselves. More are logged and not stored."""

RELAY_STREAMS_MAX: Final = 256
"""Open streams at one relay. More: refused at once."""

RELAY_CONNECTIONS_MAX: Final = 12_000
"""Connections at one relay, most of them of strangers. More: closed at once. Many more than streams, for a handshake
may last only so long. Some 60 kB each. A system that lets a process open fewer files lowers it."""

RELAY_OTHER_FILES: Final = 256
"""Files that a relay needs besides its connections."""
