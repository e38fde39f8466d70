/* SPDX-License-Identifier: BSD-3-Clause
 * What a harness defines; libFuzzer calls it with inputs of its own, replay.c with the seeds. A harness checks a
 * property with assert(), not only that nothing crashes. */
#ifndef FUZZ_HARNESS_H
#define FUZZ_HARNESS_H

#include <stddef.h>
#include <stdint.h>

/* Returns 0. |bytes| is exactly |length| bytes of the heap, so that a sanitizer sees each step past its end. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

#endif
