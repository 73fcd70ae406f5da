/* The state of an exact placement (search.c), and how it lies in the memory that the caller gives. */
#ifndef LZD_SEARCH_STATE_H
#define LZD_SEARCH_STATE_H

#include "lzd_place.h"

#define NONE (-1)
#define NOWHERE (INT64_MAX / 2)

typedef struct part { /* sections low..high-1, of which no placement is known yet */
    int32_t low, high;
    int32_t last; /* canonical order: what comes next is after buffer `last` at offset `at` */
    int64_t at;
    int32_t then;   /* the part to search after this one, or NONE */
    int32_t parent; /* the frame whose choice fails with this part, or NONE */
} part;

typedef struct frame { /* one choice */
    part of;
    int64_t below;    /* candidates lie lower than this */
    int64_t tried_at; /* the last candidate tried, and where */
    int32_t tried;
    int32_t parts; /* how many parts there were before the choice */
    int64_t trail; /* and changes */
} frame;

typedef struct change {
    int64_t old;
    int32_t where; /* a buffer: its `lowest`; count + a section: its `floor` */
} change;

typedef struct search {
    const lzd_buffers *in;
    int64_t capacity;
    int64_t *lowest;   /* by buffer: its lowest place on top of what is placed */
    int64_t *floor;    /* by section: the top of what is placed */
    int64_t *left;     /* by section: what is still to place there, and all fixed buffers */
    int32_t *to_come;  /* by section: buffers still to place */
    int32_t *bridges;  /* by section: of them, those that are live in the section before too */
    int32_t *witness;  /* by section: a buffer that was found low enough there */
    int32_t *live;     /* by section, from live_from[section]: its buffers */
    int32_t *beside;   /* by buffer, from beside_from[buffer]: those live at the same time */
    int64_t *live_from, *beside_from;
    int32_t *alike;          /* by buffer: the next one of the same life, in a ring */
    int32_t *next, *previous; /* buffers still to place, in a ring with `count` as its head */
    uint8_t *placed;
    int64_t *reach_of, *reach_node; /* by buffer: what reach() answered, and at which node */
    int64_t *offset;
    int64_t *failed;
    change *trail;
    frame *frames;
    part *parts;
    int64_t n_trail, nodes;
    int32_t n_parts;
} search;

/* Takes the next bytes of memory, or only counts them. */
static inline void *take(uintptr_t *at, int64_t count, size_t size)
{
    const uintptr_t here = *at;
    *at += ((size_t)count * size + 15u) & ~(uintptr_t)15u;
    return (void *)here;
}

static inline size_t lay_out(search *s, const lzd_buffers *in, int64_t pairs, void *memory)
{
    const int64_t n = in->count, sections = in->sections;
    int64_t lives = 0;
    for (int32_t b = 0; b < in->count; b++) {
        lives += in->end[b] - in->first[b];
    }
    uintptr_t at = (uintptr_t)memory;
    s->lowest = take(&at, n, sizeof(int64_t));
    s->floor = take(&at, sections, sizeof(int64_t));
    s->left = take(&at, sections, sizeof(int64_t));
    s->to_come = take(&at, sections, sizeof(int32_t));
    s->bridges = take(&at, sections, sizeof(int32_t));
    s->witness = take(&at, sections, sizeof(int32_t));
    s->live = take(&at, lives, sizeof(int32_t));
    s->live_from = take(&at, sections + 1, sizeof(int64_t));
    s->beside = take(&at, 2 * pairs, sizeof(int32_t));
    s->beside_from = take(&at, n + 1, sizeof(int64_t));
    s->alike = take(&at, n, sizeof(int32_t));
    s->next = take(&at, n + 1, sizeof(int32_t));
    s->previous = take(&at, n + 1, sizeof(int32_t));
    s->placed = take(&at, n, 1);
    s->reach_of = take(&at, n, sizeof(int64_t));
    s->reach_node = take(&at, n, sizeof(int64_t));
    s->trail = take(&at, lives + pairs, sizeof(change)); /* of a pair, only the one placed later is changed */
    s->frames = take(&at, n, sizeof(frame));
    s->parts = take(&at, 2 * n, sizeof(part)); /* n choices make at most n - 1 more parts than they end */
    return (size_t)(at - (uintptr_t)memory);
}

#endif
