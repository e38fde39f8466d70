/* SPDX-License-Identifier: BSD-3-Clause */
#include "front/stream_queue.h"

#include <assert.h>
#include <string.h>

#include "base/error.h"

/* A packet lies in one block, or in a chain of them. */
struct queued_block {
    struct queued_block *next;
    uint8_t bytes[QUEUE_BLOCK_SIZE - sizeof(void *)];
};

struct queued_packet {
    struct queued_block *more;
    struct queued_packet *next;
    uint64_t queued_ns;
    uint32_t length;
    uint8_t bytes[QUEUE_BLOCK_SIZE - 3 * sizeof(void *) - sizeof(uint64_t)];
};
_Static_assert(sizeof(struct queued_block) <= QUEUE_BLOCK_SIZE && sizeof(struct queued_packet) <= QUEUE_BLOCK_SIZE,
               "blocks of one size");

void stream_queue_blocks_init(struct pool *blocks, size_t limit)
{
    pool_init(blocks, QUEUE_BLOCK_SIZE, 32, limit / QUEUE_BLOCK_SIZE);
}

static void give_packet(struct pool *blocks, struct queued_packet *packet)
{
    for (struct queued_block *block = packet->more; block;) {
        struct queued_block *next = block->next;
        pool_give(blocks, block);
        block = next;
    }
    pool_give(blocks, packet);
}

static void drop_first(struct stream_queue_class *class, struct pool *blocks)
{
    struct queued_packet *packet = class->first;
    class->first = packet->next;
    if (!class->first)
        class->last = NULL;
    class->bytes -= packet->length;
    give_packet(blocks, packet);
}

void stream_queue_clear(struct stream_queue *queue, struct pool *blocks)
{
    for (size_t i = 0; i < 3; i++)
        while (queue->classes[i].first)
            drop_first(&queue->classes[i], blocks);
}

/* Where the next bytes of a packet that is being queued go. */
struct filler {
    struct queued_block **chain;
    uint8_t *at;
    size_t room;
};

/* Appends |length| bytes (zeros where |bytes| is NULL). False where the pool is empty. */
static bool fill(struct filler *filler, struct pool *blocks, const uint8_t *bytes, size_t length)
{
    while (length > 0) {
        if (filler->room == 0) {
            struct queued_block *block = pool_take(blocks);
            if (!block)
                return false;
            block->next = NULL;
            *filler->chain = block;
            filler->chain = &block->next;
            filler->at = block->bytes;
            filler->room = sizeof block->bytes;
        }
        size_t part = length < filler->room ? length : filler->room;
        if (bytes) {
            memcpy(filler->at, bytes, part);
            bytes += part;
        } else {
            memset(filler->at, 0, part);
        }
        filler->at += part;
        filler->room -= part;
        length -= part;
    }
    return true;
}

static struct queued_packet *copy_packet(struct pool *blocks, const struct turn_packet *packet)
{
    struct queued_packet *copy = pool_take(blocks);
    if (!copy)
        return NULL;
    copy->more = NULL;
    copy->next = NULL;
    copy->length = (uint32_t)turn_packet_length(packet);
    struct filler filler = {.chain = &copy->more, .at = copy->bytes, .room = sizeof copy->bytes};
    if (fill(&filler, blocks, packet->head, packet->head_length) &&
        fill(&filler, blocks, packet->payload, packet->payload_length) && fill(&filler, blocks, NULL, packet->padding))
        return copy;
    give_packet(blocks, copy);
    return NULL;
}

static void drop_older(struct stream_queue_class *class, struct pool *blocks, uint64_t age_ns, uint64_t now_ns)
{
    while (class->first && now_ns - class->first->queued_ns > age_ns)
        drop_first(class, blocks);
}

static void drop_stale(struct stream_queue *queue, struct pool *blocks, uint64_t now_ns)
{
    struct stream_queue_class *live = &queue->classes[TURN_CLASS_LIVE];
    drop_older(live, blocks, QUEUE_LIVE_AGE_NS, now_ns);
    drop_older(&queue->classes[TURN_CLASS_BULK], blocks, QUEUE_BULK_AGE_NS, now_ns);
    bool stands = queue->standing_since_ns != 0 && now_ns - queue->standing_since_ns >= QUEUE_STANDING_NS;
    /* The newest stays: however slowly the client takes them, it gets some. */
    while (stands && live->first && live->first->next && now_ns - live->first->queued_ns > QUEUE_STANDING_AGE_NS)
        drop_first(live, blocks);
}

/* Whether the queue stands shows in how long what leaves it has waited. */
static void note_wait(struct stream_queue *queue, uint64_t wait_ns, uint64_t now_ns)
{
    if (wait_ns < QUEUE_STANDING_AGE_NS / 4)
        queue->standing_since_ns = 0;
    else if (wait_ns >= QUEUE_STANDING_AGE_NS && queue->standing_since_ns == 0)
        queue->standing_since_ns = now_ns;
}

int stream_queue_push(struct stream_queue *queue, struct pool *blocks, const struct turn_packet *packet,
                      uint64_t now_ns)
{
    struct stream_queue_class *class = &queue->classes[packet->class];
    size_t length = turn_packet_length(packet);
    drop_stale(queue, blocks, now_ns);
    if (packet->class != TURN_CLASS_ANSWER)
        while (class->first && class->bytes + length > QUEUE_CLASS_BYTES_MAX)
            drop_first(class, blocks);
    struct queued_packet *copy = copy_packet(blocks, packet);
    /* Without blocks the oldest of what matters less gives way; answers never do. */
    for (int i = TURN_CLASS_BULK; !copy && i >= TURN_CLASS_LIVE && i >= (int)packet->class; i--)
        while (!copy && queue->classes[i].first) {
            drop_first(&queue->classes[i], blocks);
            copy = copy_packet(blocks, packet);
        }
    if (!copy)
        return ERR_FULL;
    copy->queued_ns = now_ns;
    if (class->last)
        class->last->next = copy;
    else
        class->first = copy;
    class->last = copy;
    class->bytes += length;
    return 0;
}

/* The class whose first packet goes next; NULL where nothing waits. */
static struct stream_queue_class *next_class(struct stream_queue *queue)
{
    struct stream_queue_class *live = &queue->classes[TURN_CLASS_LIVE], *bulk = &queue->classes[TURN_CLASS_BULK];
    if (queue->classes[TURN_CLASS_ANSWER].first)
        return &queue->classes[TURN_CLASS_ANSWER];
    if (live->first && (!bulk->first || queue->live_in_a_row + 1 < QUEUE_BULK_EVERY))
        return live;
    return bulk->first ? bulk : NULL;
}

static void copy_out(const struct queued_packet *packet, uint8_t *out)
{
    size_t left = packet->length;
    size_t part = left < sizeof packet->bytes ? left : sizeof packet->bytes;
    memcpy(out, packet->bytes, part);
    for (const struct queued_block *block = packet->more; block; block = block->next) {
        out += part;
        left -= part;
        part = left < sizeof block->bytes ? left : sizeof block->bytes;
        memcpy(out, block->bytes, part);
    }
    assert(part == left);
}

size_t stream_queue_take(struct stream_queue *queue, struct pool *blocks, uint8_t *out, size_t wanted, size_t size,
                         uint64_t now_ns)
{
    drop_stale(queue, blocks, now_ns);
    size_t taken = 0;
    struct stream_queue_class *class;
    while (taken < wanted && (class = next_class(queue)) && class->first->length <= size - taken) {
        copy_out(class->first, out + taken);
        taken += class->first->length;
        if (class == &queue->classes[TURN_CLASS_LIVE]) {
            queue->live_in_a_row++;
            note_wait(queue, now_ns - class->first->queued_ns, now_ns);
        } else if (class == &queue->classes[TURN_CLASS_BULK]) {
            queue->live_in_a_row = 0;
        }
        drop_first(class, blocks);
    }
    return taken;
}
