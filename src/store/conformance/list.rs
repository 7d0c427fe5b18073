//! The list of promises: one place for the table and for the tests that are made of it.

use super::{Promise, close, counts, durability, feed, hints, idle, input, page, swap, unique, verify, visibility};

/// Hands the list to a macro, after what is given.
#[doc(hidden)]
#[macro_export]
macro_rules! __longrun_promises {
    ($then:ident $($given:tt)*) => {
        $crate::$then! { $($given)*
            swap {
                created_is_loaded: "a create is loaded as it was written";
                nothing_is_loaded_as_nothing: "an id without an operation is nothing, no error";
                swapped_is_loaded: "a swap is loaded as it was written";
                create_loses_to_what_is_there: "a create of a taken id is Lost to what is there, which stays";
                stale_version_loses: "a swap against a replaced version is Lost to the newest, which stays";
                whole_version_is_compared: "birth, number and instance of a version all count";
                swap_of_nothing_loses: "a swap of what is not there is Lost to nothing, and makes nothing";
                removed_is_gone: "a removed operation is loaded as nothing";
                stale_removal_loses: "a removal of a replaced version is Lost to the newest, which stays";
                second_removal_loses: "a second removal is Lost to nothing";
                created_again_is_another: "a version of an id's first life never matches its second";
                store_does_not_judge: "a store swaps whatever the versions allow, whatever the status";
                one_racer_wins: "of several swaps from one version one is stored, the others are Lost to it";
                one_creator_wins: "of several creates of one id one is stored, the others are Lost to it";
                no_update_is_lost: "5 workers that count to 10 make 50, whatever their durability";
                dropped_is_all_or_nothing: "a swap dropped at any poll has happened or not, never half";
            }
            unique {
                held_key_is_taken: "a create whose key is held is Taken by the holder, and leaves nothing";
                ended_holder_frees_its_key: "the key of one that has ended is free";
                removed_holder_frees_its_key: "the key of one that was removed is free";
                own_id_comes_before_the_key: "a create of a taken id is Lost to it, whatever its key";
                one_creator_takes_the_key: "of several creates with one key one is stored, the others are Taken by it";
                key_outlives_its_store: "a key is held after close and open";
                taken_waits_for_durability: "Taken names durable holders only";
            }
            visibility {
                stored_is_shown_everywhere: "what is stored is in load, page, counts and feed at once";
                eventual_is_loaded_at_once: "an Eventual write is loaded at once";
                eventual_is_listed_at_once: "an Eventual write is listed at once";
                eventual_comes_in_the_feed: "the feed tells the newest version once Eventual writes are covered";
                acknowledged_only_when_durable: "an Immediate swap is answered when it is durable";
                create_waits_for_durability: "a create is answered and loaded when it is durable";
                load_waits_for_durability: "load shows durable state changes only";
                page_waits_for_durability: "page shows durable state changes only";
                counts_wait_for_durability: "counts show durable state changes only";
                feed_waits_for_durability: "the feed shows durable state changes only";
                hints_wait_for_durability: "hints tell of durable state changes only";
                lost_waits_for_durability: "Lost names durable winners only";
                eventual_waits_for_what_lies_below: "an Eventual write waits for an Immediate one below it";
            }
            durability {
                closed_store_keeps_all: "all operations load after close and open";
                closed_store_lists_all: "all operations are listed after close and open";
                closed_store_keeps_eventual: "a close makes acknowledged Eventual writes durable";
                removed_stays_gone: "a removed operation stays gone after close and open";
                create_survives_a_crash: "an acknowledged create survives a crash";
                swap_survives_a_crash: "an acknowledged Immediate swap survives a crash";
                removal_survives_a_crash: "an acknowledged removal survives a crash";
                crash_takes_back_no_further: "a crash takes back to the last Immediate write at most";
                crash_keeps_what_an_immediate_write_covers: "an Immediate write on Eventual ones survives a crash";
                crashed_store_is_whole: "after a crash verify finds nothing and writing goes on";
                store_has_one_name: "a store's number stays for ever";
                instance_is_new_at_each_open: "no instance number is given twice";
                instance_is_new_after_a_crash: "an instance number is durable before the open is answered";
            }
            page {
                each_once_in_order: "a list has every operation once, by creation and id";
                pages_keep_their_bound: "no page is larger than asked";
                last_page_has_no_token: "the last page has no token";
                newest_first: "a list backwards is the list reversed";
                ties_are_ordered_by_the_bytes_of_ids: "operations of one instant are ordered by the bytes of ids";
                by_status: "a list by statuses has these and no others";
                by_type: "a list by type has this one and no other";
                by_label: "a list by label has this one and no other";
                by_group: "a list by group has this one and no other";
                by_base: "a list by base has all attempts and no other operation";
                by_instant: "a list between instants has the first and not the last";
                by_all_conditions_at_once: "conditions are joined by and";
                by_end: "a list by end is ordered and bounded by it";
                nothing_is_skipped_or_doubled_beside_writers: "what is there throughout is listed exactly once";
                token_outlives_its_store: "a token is valid after close and open";
                types_and_labels_do_not_blend: "types, label keys and values never share or prefix a key";
            }
            counts {
                nothing_counts_nothing: "an empty store has no counts";
                every_write_counts: "counts equal a recount after creates, moves and removals";
                move_leaves_where_it_was: "a move is taken from its old status";
                removal_leaves_nothing: "a type without operations has no counts";
                lost_race_does_not_count: "a lost race counts nowhere";
                same_after_open: "counts are the same after close and open";
                exact_after_a_crash: "counts equal a recount after a crash";
                group_is_counted: "the counts of a group equal a recount after creates, moves and removals";
                group_counts_same_after_open: "the counts of a group are the same after close and open";
            }
            feed {
                start_is_the_snapshot: "the feed from the start is all operations, in order of change";
                each_once_in_its_newest_version: "an operation that changed comes once, in its newest version";
                eventual_comes_once: "an Eventual write comes once, read before and after it is durable";
                goes_on_from_where_it_ended: "from its end the feed tells what changed since, and no more";
                short_stretches_lose_nothing: "short stretches join to the whole, and tell that there is more";
                deletion_is_told: "a removal is told, with the version removed";
                deletion_is_told_after_open: "a removal is told after close and open";
                created_again_shows_another_birth: "of an id of two lives the last word is the second";
                position_outlives_its_store: "a position is valid after close and open";
                position_outlives_a_crash: "who read before a crash and goes on after it misses nothing";
                foreign_position_expires: "another store's position is PositionExpired";
                reader_beside_writers_misses_nothing: "who follows the feed beside writers knows what is there";
            }
            idle {
                quiet_is_found: "what nobody wrote for longer than the span is found";
                fresh_is_not_quiet: "what was written within the span is not found";
                every_write_is_a_sign_of_life: "any write, Eventual too, begins the span anew";
                times_of_clients_do_not_count: "the store's clock counts, not lastActionDateTime";
                quiet_is_of_its_type: "types are told apart, and from none";
                only_what_runs_is_quiet: "only Running operations are found";
                cursor_goes_on: "from a cursor the search goes on, by the bytes of ids";
                orphans_of_a_closed_instance_are_found: "what a closed instance held is orphaned";
                orphans_of_a_crashed_instance_are_found: "what a crashed instance held is orphaned";
                own_claims_are_no_orphans: "what the living instance holds is not orphaned";
                remote_claims_are_no_orphans: "what remote workers or nobody hold is not orphaned";
                ended_orphan_is_none: "an orphan that was ended is none any more";
                due_is_found: "what is past its deadline is found, started or not, and no other";
                only_what_lives_is_due: "what has ended is not due";
                due_is_found_after_open: "deadlines are known after close and open";
            }
            hints {
                changes_are_hinted_at: "changes are hinted at, if not each";
                end_when_the_store_is_closed: "hints end when the store is closed";
                record_is_not_behind: "what is hinted at is there to be read";
                unread_stream_holds_nobody_up: "hints that nobody reads hold nobody up";
            }
            verify {
                healthy_store_has_no_problems: "a healthy store has no problems";
                every_record_is_read: "every record is read";
                damage_is_named: "a spoilt record is named";
                damage_hides_nothing_else: "a list names a spoilt record and shows all others";
                damage_is_never_shown: "a spoilt record is Corrupt, never other data";
            }
            close {
                closed_store_refuses_reads: "reads of a closed store are Closed";
                closed_store_refuses_writes: "writes to a closed store are Closed";
                second_close_is_the_first: "close is idempotent, also side by side";
                dropped_close_can_be_finished: "a close dropped half-way can be finished by another";
                place_is_free_at_once: "after close the place can be opened again at once";
                place_is_locked_while_it_is_open: "an exclusive store is Locked while it is open";
                what_was_submitted_is_drained: "what close meets under way is stored or refused, and told so";
                dropped_store_keeps_what_it_acknowledged: "a store dropped without close keeps what it acknowledged";
            }
            input {
                every_member_comes_back: "every member of every state comes back";
                names_come_back: "types, labels, holders and codes come back to the character";
                free_texts_come_back: "free texts come back to the character, control characters too";
                json_comes_back_to_the_letter: "JSON keeps its order of members and its spelling of numbers";
                times_come_back_to_the_tick: "times keep their 100 ns and their offset, from year 1 to 9999";
                times_are_ordered_to_the_tick: "lists tell 100 ns apart";
                large_results_come_back: "results of a mebibyte come back";
                many_labels_come_back: "16 labels of full length come back and are found";
                ids_are_kept_apart: "ids differ as their bytes do";
                types_are_bounded: "1,024 types fit, the next is TypeLimit and leaves nothing";
            }
        }
    };
}

/// Makes the table.
#[doc(hidden)]
#[macro_export]
macro_rules! __longrun_table {
    ($($theme:ident { $($name:ident: $says:literal;)* })*) => {
        pub(super) const PROMISES: &[Promise] = &[$($(
            Promise {
                theme: stringify!($theme),
                name: stringify!($name),
                says: $says,
                run: |trial| Box::pin($theme::$name(trial)),
            },
        )*)*];
    };
}

__longrun_promises! { __longrun_table }

/// Makes one `#[test]` per promise, named `theme::promise`. See [`longrun::conformance`](crate::conformance).
#[macro_export]
macro_rules! conformance_tests {
    ($opener:expr $(,)?) => {
        $crate::__longrun_promises! { __longrun_tests [$opener] }
    };
}

/// Makes the tests.
#[doc(hidden)]
#[macro_export]
macro_rules! __longrun_tests {
    ([$opener:expr] $($theme:ident { $($name:ident: $says:literal;)* })*) => {
        $(mod $theme {
            #[allow(unused_imports, reason = "an opener may be named in full")]
            use super::*;
            $(#[test]
            fn $name() {
                $crate::conformance::test(stringify!($theme), stringify!($name), &$opener);
            })*
        })*
    };
}
