/* SPDX-License-Identifier: BSD-3-Clause
 * A doubly linked, circular list whose links live inside the listed objects. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *previous, *next;
};

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* Walks |head|; |link| is a struct list *. The _safe form allows the current link to be removed. */
#define list_each(link, head) for ((link) = (head)->next; (link) != (head); (link) = (link)->next)
#define list_each_safe(link, following, head)                                 \
    for ((link) = (head)->next, (following) = (link)->next; (link) != (head); \
         (link) = (following), (following) = (link)->next)

static inline void list_init(struct list *head)
{
    head->previous = head->next = head;
}

static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}

static inline void list_append(struct list *head, struct list *link)
{
    link->previous = head->previous;
    link->next = head;
    head->previous->next = link;
    head->previous = link;
}

/* Takes |link| out of its list and leaves it an empty list of its own, so that removing it again is
 * harmless. */
static inline void list_remove(struct list *link)
{
    link->previous->next = link->next;
    link->next->previous = link->previous;
    list_init(link);
}

#endif
