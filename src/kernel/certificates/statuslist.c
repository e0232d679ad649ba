/* statuslist.c — bits in and out of a list, packed and unpacked within bounds. */
#include "kernel/certificates/statuslist.h"

#include <string.h>
#include <zlib.h>

size_t th_status_bytes(int bits, uint64_t entries)
{
    uint64_t each = 8 / (uint64_t)bits;
    return (size_t)(entries / each + (entries % each != 0));
}

void th_status_put(uint8_t *bytes, int bits, uint64_t index, unsigned value)
{
    uint64_t at = index * (uint64_t)bits;
    unsigned shift = at & 7, mask = (1u << bits) - 1;
    uint8_t *byte = bytes + (at >> 3);
    *byte = (uint8_t)((*byte & ~(mask << shift)) | (value & mask) << shift);
}

unsigned th_status_at(const uint8_t *bytes, int bits, uint64_t index)
{
    uint64_t at = index * (uint64_t)bits;
    return (unsigned)bytes[at >> 3] >> (at & 7) & ((1u << bits) - 1);
}

th_status th_status_get(const th_status_list *list, int64_t index, unsigned *ret_value, th_error *error)
{
    if (index < 0 || (uint64_t)index >= (uint64_t)list->bytes.n * 8 / (uint64_t)list->bits)
        return th_fail(error, TH_FORBIDDEN, "status-index", "状态列表中没有这个位置", "The status list has no such place");
    *ret_value = th_status_at((const uint8_t *)list->bytes.p, list->bits, (uint64_t)index);
    return TH_OK;
}

th_status th_status_pack(th_str bytes, int level, th_arena *arena, th_str *ret_zlib)
{
    z_stream z = {0};
    if (bytes.n > UINT32_MAX || deflateInit2(&z, level == TH_PACK_RUNS ? 9 : level, Z_DEFLATED, MAX_WBITS, level == TH_PACK_RUNS ? 9 : 8, level == TH_PACK_RUNS ? Z_RLE : Z_DEFAULT_STRATEGY) != Z_OK)
        return TH_NO_MEMORY;
    size_t room = deflateBound(&z, (uLong)bytes.n);
    uint8_t *out = room <= UINT32_MAX ? th_alloc(arena, room ? room : 1) : NULL;
    z.next_in = (Bytef *)(uintptr_t)bytes.p;
    z.avail_in = (uInt)bytes.n;
    z.next_out = out;
    z.avail_out = (uInt)room;
    int rc = out ? deflate(&z, Z_FINISH) : Z_MEM_ERROR;
    size_t n = room - z.avail_out;
    deflateEnd(&z);
    if (!out)
        return TH_TOO_LARGE;
    *ret_zlib = (th_str){(const char *)out, n};
    return rc == Z_STREAM_END ? TH_OK : TH_IO;
}

static th_status encoding_wrong(th_error *error)
{
    return th_fail(error, TH_INVALID, "status-encoding", "压缩内容有误", "The compressed content is broken");
}

static th_status too_large(th_error *error)
{
    return th_fail(error, TH_TOO_LARGE, "status-too-large", "展开后超过限制", "It is too large when unpacked");
}

/* Grows by doubling up to `max`: a bomb is met at the limit and not after it. */
th_status th_status_unpack(th_str packed, size_t max, th_arena *arena, th_str *ret_bytes, th_error *error)
{
    z_stream z = {0};
    size_t room = packed.n < 256 ? 1024 : packed.n * 4, n = 0;
    th_status status = TH_OK;
    int rc = Z_OK;
    if (packed.n > UINT32_MAX)
        return too_large(error);
    if (inflateInit(&z) != Z_OK)
        return TH_NO_MEMORY;
    room = room > max + 1 ? max + 1 : room;
    uint8_t *out = th_alloc(arena, room);
    z.next_in = (Bytef *)(uintptr_t)packed.p;
    z.avail_in = (uInt)packed.n;
    while (out && !status) {
        z.next_out = out + n;
        z.avail_out = (uInt)(room - n);
        rc = inflate(&z, Z_NO_FLUSH);
        n = room - z.avail_out;
        if (rc == Z_STREAM_END)
            break;
        if (rc != Z_OK && rc != Z_BUF_ERROR)
            status = encoding_wrong(error);
        else if (z.avail_out)
            status = encoding_wrong(error); /* the input ended early */
        else if (n > max)
            status = too_large(error);
        else {
            size_t more = room > max / 2 ? max + 1 : room * 2;
            uint8_t *grown = th_alloc(arena, more);
            if (grown)
                memcpy(grown, out, n);
            out = grown;
            room = more;
        }
    }
    if (!status && !out)
        status = TH_NO_MEMORY;
    if (!status && n > max)
        status = too_large(error);
    if (!status && z.avail_in)
        status = encoding_wrong(error); /* something follows the stream */
    inflateEnd(&z);
    if (!status)
        *ret_bytes = (th_str){(const char *)out, n};
    return status;
}
