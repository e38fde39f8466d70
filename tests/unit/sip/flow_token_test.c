/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "sip/flow_token.h"

static struct sip_flow_key key, other_key;

static int setup(void **state)
{
    (void)state;
    sip_flow_key_init(&key);
    sip_flow_key_init(&other_key);
    return 0;
}

static int read_token(const char *token)
{
    struct sip_flow_name name;
    return sip_flow_token_read(&key, span_of_text(token), &name);
}

static void token_names_worker_and_flow(void **state)
{
    (void)state;
    char token[SIP_FLOW_TOKEN_SIZE];
    sip_flow_token_make(&key, (struct sip_flow_name){.worker = 200, .flow = 0x0123456789abcdef}, token);
    struct sip_flow_name name;
    assert_int_equal(sip_flow_token_read(&key, span_of_text(token), &name), 0);
    assert_int_equal(name.worker, 200);
    assert_true(name.flow == 0x0123456789abcdef);
    /* The user part of a URI, a token, a parameter: it needs no escapes anywhere. */
    assert_int_equal(strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), strlen(token));
}

static void changed_token_is_refused(void **state)
{
    (void)state;
    char token[SIP_FLOW_TOKEN_SIZE];
    sip_flow_token_make(&key, (struct sip_flow_name){.worker = 1, .flow = 7}, token);
    assert_int_equal(read_token(token), 0);
    for (size_t i = 0; i < strlen(token); i++) {
        char before = token[i];
        token[i] = before == 'A' ? 'B' : 'A';
        assert_int_equal(read_token(token), ERR_FORBIDDEN);
        token[i] = before;
    }
    assert_int_equal(read_token(""), ERR_FORBIDDEN);
    char longer[SIP_FLOW_TOKEN_SIZE + 1];
    strcpy(longer, token);
    strcat(longer, "A");
    assert_int_equal(read_token(longer), ERR_FORBIDDEN);
    token[strlen(token) - 1] = '\0';
    assert_int_equal(read_token(token), ERR_FORBIDDEN);
}

static void token_of_another_process_is_refused(void **state)
{
    (void)state;
    char token[SIP_FLOW_TOKEN_SIZE];
    sip_flow_token_make(&other_key, (struct sip_flow_name){.worker = 1, .flow = 7}, token);
    assert_int_equal(read_token(token), ERR_FORBIDDEN);
}

static void branch_names_its_worker(void **state)
{
    (void)state;
    char branch[SIP_BRANCH_SIZE], another[SIP_BRANCH_SIZE];
    sip_branch_make(&key, 3, branch);
    sip_branch_make(&key, 3, another);
    assert_string_not_equal(branch, another);
    assert_memory_equal(branch, "z9hG4bK", 7);
    assert_int_equal(sip_branch_worker(&key, span_of_text(branch)), 3);
    assert_int_equal(sip_branch_worker(&other_key, span_of_text(branch)), ERR_FORBIDDEN);
    branch[7] = branch[7] == 'A' ? 'B' : 'A';
    assert_int_equal(sip_branch_worker(&key, span_of_text(branch)), ERR_FORBIDDEN);
    assert_int_equal(sip_branch_worker(&key, span_of_text("z9hG4bK776asdhds")), ERR_FORBIDDEN);
    assert_int_equal(sip_branch_worker(&key, span_of_text("z9")), ERR_FORBIDDEN);
}

static void branch_is_no_token_and_token_no_branch(void **state)
{
    (void)state;
    char branch[SIP_BRANCH_SIZE], token[SIP_FLOW_TOKEN_SIZE];
    sip_branch_make(&key, 3, branch);
    assert_int_equal(read_token(branch + 7), ERR_FORBIDDEN);
    sip_flow_token_make(&key, (struct sip_flow_name){.worker = 3, .flow = 9}, token);
    strcpy(branch + 7, token);
    assert_int_equal(sip_branch_worker(&key, span_of_text(branch)), ERR_FORBIDDEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_names_worker_and_flow),
        cmocka_unit_test(changed_token_is_refused),
        cmocka_unit_test(token_of_another_process_is_refused),
        cmocka_unit_test(branch_names_its_worker),
        cmocka_unit_test(branch_is_no_token_and_token_no_branch),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
