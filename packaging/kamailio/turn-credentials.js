// SPDX-License-Identifier: BSD-3-Clause
// HMAC-SHA1 for turn-credentials.cfg: Kamailio's own functions have none. Strings of bytes in, base64 out.

function rotated(word, bits) {
    return (word << bits) | (word >>> (32 - bits));
}

function block(state, words) {
    var a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (var t = 0; t < 80; t++) {
        if (t >= 16)
            words[t] = rotated(words[t - 3] ^ words[t - 8] ^ words[t - 14] ^ words[t - 16], 1);
        var mixed = t < 20 ? ((b & c) | (~b & d)) + 0x5A827999 :
                    t < 40 ? (b ^ c ^ d) + 0x6ED9EBA1 :
                    t < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDC :
                             (b ^ c ^ d) + 0xCA62C1D6;
        var next = (rotated(a, 5) + mixed + e + words[t]) | 0;
        e = d; d = c; c = rotated(b, 30); b = a; a = next;
    }
    return [(state[0] + a) | 0, (state[1] + b) | 0, (state[2] + c) | 0, (state[3] + d) | 0, (state[4] + e) | 0];
}

// FIPS 180-4, over a list of bytes.
function sha1(bytes) {
    var state = [0x67452301, 0xEFCDAB89 | 0, 0x98BADCFE | 0, 0x10325476, 0xC3D2E1F0 | 0];
    var padded = bytes.concat([0x80]), out = [], i, t;
    while (padded.length % 64 !== 56)
        padded.push(0);
    for (i = 7; i >= 0; i--)
        padded.push(i >= 4 ? 0 : ((bytes.length * 8) >>> (8 * i)) & 255);
    for (i = 0; i < padded.length; i += 64) {
        var words = [];
        for (t = 0; t < 16; t++)
            words[t] = (padded[i + 4 * t] << 24) | (padded[i + 4 * t + 1] << 16) | (padded[i + 4 * t + 2] << 8) |
                       padded[i + 4 * t + 3];
        state = block(state, words);
    }
    for (i = 0; i < 20; i++)
        out.push((state[i >> 2] >>> (24 - 8 * (i & 3))) & 255);
    return out;
}

function bytesOf(text) {
    var out = [];
    for (var i = 0; i < text.length; i++)
        out.push(text.charCodeAt(i) & 255);
    return out;
}

// RFC 2104.
function hmac(key, message) {
    var inner = [], outer = [], i;
    if (key.length > 64)
        key = sha1(key);
    for (i = 0; i < 64; i++) {
        inner.push((key[i] || 0) ^ 0x36);
        outer.push((key[i] || 0) ^ 0x5C);
    }
    return sha1(outer.concat(sha1(inner.concat(message))));
}

function base64(bytes) {
    var digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", out = "";
    for (var i = 0; i < bytes.length; i += 3) {
        var left = bytes.length - i;
        var bits = (bytes[i] << 16) | ((bytes[i + 1] || 0) << 8) | (bytes[i + 2] || 0);
        out += digits[bits >> 18] + digits[(bits >> 12) & 63];
        out += left > 1 ? digits[(bits >> 6) & 63] : "=";
        out += left > 2 ? digits[bits & 63] : "=";
    }
    return out;
}

// Called by route[TURN_CREDENTIALS]: $var(turn_username) and $var(turn_secret) in, $var(turn_password) out.
function turn_password() {
    var key = bytesOf(KSR.pv.gete("$var(turn_secret)"));
    KSR.pv.sets("$var(turn_password)", base64(hmac(key, bytesOf(KSR.pv.gete("$var(turn_username)")))));
    return 1;
}
