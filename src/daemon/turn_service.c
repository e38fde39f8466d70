/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/turn_service.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "daemon/account.h"
#include "daemon/log.h"
#include "daemon/quote.h"
#include "daemon/turn_login.h"
#include "front/routes.h"
#include "registrar/accounts.h"

#define METHODS         "GET, HEAD, OPTIONS"
#define PREFLIGHT_AGE_S "600"
#define DATABASE_MS_MAX 50 /* that a worker waits for another process that writes to the database */

struct turn_service {
    const struct shared *shared;
    struct front_http_service row;
    struct front_settings origins; /* only what front_origin_allowed() looks at */
    struct turn_login login;
    struct credentials *users; /* those of the settings, with keys for the realm of HTTP */
    pthread_mutex_t accounts_lock;
    struct accounts *accounts; /* NULL: no registrar of our own */
};

/* turn_login_find: first the settings, then the registrar's accounts. */
static int find_account(void *context, struct span username, enum password_algorithm algorithm,
                        struct credential_key *out)
{
    struct turn_service *service = context;
    if (credentials_find_digest_key(service->users, username, algorithm, out) == 0)
        return 0;
    if (!service->accounts)
        return ERR_NOT_FOUND;
    struct account account;
    pthread_mutex_lock(&service->accounts_lock);
    int result = accounts_find(service->accounts, username, &account);
    pthread_mutex_unlock(&service->accounts_lock);
    if (result == 0)
        *out = algorithm == PASSWORD_SHA256 ? account.sha256 : account.md5;
    crypto_erase(&account, sizeof account);
    return result == 0 ? 0 : ERR_NOT_FOUND;
}

/* One answer under way. */
struct exchange {
    struct turn_service *service;
    const struct front_http_request *request;
    bool keep_alive;
    void *memory;
    size_t size;
    const char *origin; /* to be told that it may read the answer; NULL: none was named */
};

static void begin(const struct exchange *exchange, unsigned status, struct http_response *response)
{
    http_response_init(response, exchange->memory, exchange->size, status, exchange->request->now.wall_s,
                       exchange->keep_alive);
    http_response_add(response, "Cache-Control", "no-store");
    http_response_add(response, "Vary", "Origin");
    /* The page authenticates by a field that it sets itself, never by what a browser would add, so no
     * Access-Control-Allow-Credentials. */
    if (exchange->origin)
        http_response_add(response, "Access-Control-Allow-Origin", exchange->origin);
}

static int finish(const struct exchange *exchange, struct http_response *response, const char *body, size_t length)
{
    http_response_add(response, "Content-Type", "application/json");
    http_response_add(response, "X-Content-Type-Options", "nosniff");
    return http_response_finish(response, body, length, !http_span_equals(exchange->request->head->method, "HEAD"));
}

static int finish_error(const struct exchange *exchange, struct http_response *response, const char *error,
                        const char *message)
{
    char body[256];
    int length = snprintf(body, sizeof body, "{\"error\":\"%s\",\"message\":\"%s\"}\n", error, message);
    return finish(exchange, response, body, (size_t)length);
}

static int fail(const struct exchange *exchange, unsigned status, const char *error, const char *message)
{
    struct http_response response;
    begin(exchange, status, &response);
    return finish_error(exchange, &response, error, message);
}

static int answer_preflight(const struct exchange *exchange)
{
    struct http_response response;
    begin(exchange, 204, &response);
    http_response_add(&response, "Allow", METHODS);
    if (exchange->origin) {
        http_response_add(&response, "Access-Control-Allow-Methods", "GET");
        http_response_add(&response, "Access-Control-Allow-Headers", "Authorization");
        http_response_add(&response, "Access-Control-Max-Age", PREFLIGHT_AGE_S);
    }
    return http_response_finish(&response, "", 0, false);
}

static int answer_too_many(const struct exchange *exchange, unsigned wait_s)
{
    struct http_response response;
    char seconds[16];
    snprintf(seconds, sizeof seconds, "%u", wait_s);
    begin(exchange, 429, &response);
    http_response_add(&response, "Retry-After", seconds);
    return finish_error(exchange, &response, "too-many-requests",
                        "Too many requests came from your address; wait as long as Retry-After says.");
}

static void log_refusal(const struct exchange *exchange, const struct turn_login_result *login)
{
    char client[ADDRESS_TEXT_MAX], user[100];
    quote_value(user, sizeof user, login->identity, strlen(login->identity));
    log_event(LOG_REFUSED, "client=%s transport=https method=/v1/turn error=401 user=%s reason=\"%s\"",
              address_format(exchange->request->client, client), user, login->reason);
}

static int answer_unauthorized(const struct exchange *exchange, int result, const struct turn_login_result *login)
{
    struct http_response response;
    begin(exchange, 401, &response);
    turn_login_challenge(&exchange->service->login, login, exchange->request->now.wall_s, &response);
    /* Browsers show a page only the fields that are named here. */
    if (exchange->origin)
        http_response_add(&response, "Access-Control-Expose-Headers", "WWW-Authenticate");
    if (result == ERR_NOT_FOUND)
        return finish_error(exchange, &response, "unauthorized", "Say who you are, as WWW-Authenticate says.");
    if (login->stale)
        return finish_error(exchange, &response, "stale-nonce", "The nonce is old; try again with the new one.");
    log_refusal(exchange, login);
    if (login->bad_token)
        return finish_error(exchange, &response, "invalid-token", "The access token is not accepted; get a new one.");
    return finish_error(exchange, &response, "forbidden-login", "Name or password is wrong.");
}

/* Who comes by HTTP has no registration that could end, so each answer counts as one of its own. */
static int answer_credentials(const struct exchange *exchange, const struct turn_login_result *login)
{
    const struct front_http_request *request = exchange->request;
    char json[PROVISION_JSON_MAX], id[REGISTRATION_ID_SIZE];
    uint64_t expires_s;
    registration_id_make(id);
    int length = provision_issue(exchange->service->shared->issuing.provision, span_of_text(login->identity), id,
                                 login->expires_s, request->now, json, sizeof json, &expires_s);
    if (length < 0)
        return length;
    struct http_response response;
    begin(exchange, 200, &response);
    int result = finish(exchange, &response, json, (size_t)length);
    crypto_erase(json, (size_t)length);
    return result;
}

/* The client's only Origin as text, or NULL where it sent none. */
static const char *origin_copy(const struct http_head *head, char *memory, size_t size)
{
    const struct http_field *origin = http_head_find(head, "Origin");
    if (!origin || origin->value.length == 0 || origin->value.length >= size)
        return NULL;
    memcpy(memory, origin->value.bytes, origin->value.length);
    memory[origin->value.length] = '\0';
    return memory;
}

static int answer(void *context, const struct front_http_request *request, bool keep_alive, void *memory, size_t size)
{
    struct turn_service *service = context;
    struct exchange exchange = {
        .service = service, .request = request, .keep_alive = keep_alive, .memory = memory, .size = size};
    char origin[512];
    if (!front_origin_allowed(&service->origins, request->head))
        return fail(&exchange, 403, "forbidden-origin", "Pages of that origin may not ask here; see edge.origins.");
    exchange.origin = origin_copy(request->head, origin, sizeof origin);
    if (http_span_equals(request->head->method, "OPTIONS"))
        return answer_preflight(&exchange);
    unsigned wait_s = ledger_request_wait(service->shared->ledger, request->client, request->now);
    if (wait_s > 0)
        return answer_too_many(&exchange, wait_s);
    struct turn_login_result login;
    int result = turn_login_check(&service->login, request->head, request->now.wall_s, &login);
    return result == 0 ? answer_credentials(&exchange, &login) : answer_unauthorized(&exchange, result, &login);
}

static int users_init(struct turn_service *service, const char *realm)
{
    const struct settings *settings = service->shared->settings;
    int result = credentials_create(realm, &service->users);
    for (size_t i = 0; result == 0 && i < settings->users.count; i++)
        result =
            credentials_add_account(service->users, settings->users.items[i].name, settings->users.items[i].password);
    return result;
}

static int accounts_init(struct turn_service *service, struct settings_error *error)
{
    const struct settings *settings = service->shared->settings;
    if (!settings->edge_domain[0] || settings->edge_core.count > 0)
        return 0;
    return account_open(settings, DATABASE_MS_MAX, &service->accounts, error);
}

int turn_service_create(const struct shared *shared, struct turn_service **out, struct settings_error *error)
{
    const struct settings *settings = shared->settings;
    bool own_registrar = settings->edge_domain[0] && settings->edge_core.count == 0;
    bool digest = settings->users.count > 0 || own_registrar;
    *out = NULL;
    if (!shared->issuing.provision || (!digest && !shared->issuing.tokens))
        return 0;
    struct turn_service *service = memory_zeroed(1, sizeof *service);
    if (!service) {
        settings_fail(settings, 0, error, "out of memory while starting");
        return ERR_MEMORY;
    }
    service->shared = shared;
    service->row = (struct front_http_service){
        .path = "/v1/turn", .methods = METHODS, .secure_only = true, .context = service, .answer = answer};
    service->origins.origins = settings->edge_origins.items;
    service->origins.origin_count = settings->edge_origins.count;
    pthread_mutex_init(&service->accounts_lock, NULL);
    const char *realm = settings->edge_domain[0] ? settings->edge_domain : settings->realm;
    turn_login_init(&service->login, realm, &shared->turn.nonce_key);
    service->login.tokens = shared->issuing.tokens;
    service->login.find = digest ? find_account : NULL;
    service->login.find_context = service;
    int result = users_init(service, realm);
    if (result != 0)
        settings_fail(settings, 0, error, "out of memory while starting");
    else
        result = accounts_init(service, error);
    if (result != 0) {
        turn_service_destroy(&service);
        return result;
    }
    *out = service;
    return 0;
}

void turn_service_destroy(struct turn_service **service)
{
    struct turn_service *gone = *service;
    if (!gone)
        return;
    accounts_close(&gone->accounts);
    pthread_mutex_destroy(&gone->accounts_lock);
    credentials_destroy(&gone->users);
    memory_free(gone);
    *service = NULL;
}

const struct front_http_service *turn_service_row(const struct turn_service *service)
{
    return &service->row;
}
