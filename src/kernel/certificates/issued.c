/* issued.c — what this node issued, read back. */
#include "certificates-private.h"

th_status th_issued_get(th_certificates *certs, th_db *db, th_str id, th_arena *arena, th_issued *ret, th_error *error)
{
    const th_value *row;
    th_str plain;
    th_value value = th_v_text(id);
    th_status status = th_db_one(db,
                                 "SELECT id, number, type, wallet, office, status, issued_at, expires_at, list, place, content FROM certificates_issued "
                                 "WHERE id = ?1",
                                 &value, 1, arena, &row, error);
    if (status == TH_NOT_FOUND)
        return th_fail(error, status, "no-certificate", "没有这份证照", "There is no such certificate");
    if (status)
        return status;
    *ret = (th_issued){.id = row[0].s, .number = row[1].s, .type = row[2].s, .wallet = row[3].s, .office = row[4].s, .status = row[5].i, .issued_us = row[6].i,
                       .expires_us = row[7].type == TH_VALUE_INT ? row[7].i : 0, .list = row[8].i, .place = row[9].i};
    status = th_certificate_unseal(certs, id, row[10].s, arena, &plain, error);
    return status ? status : th_json_parse(plain, arena, &ret->content, error);
}

void th_page_key(const th_certificates *certs, th_str id, char ret_key[TH_HEX_HASH])
{
    th_str pieces[] = {TH_STR("tonghui/v1/certificate-page\n"), id};
    th_hash hash = th_hmac(certs->seal_key, pieces, TH_COUNT(pieces));
    th_hex(hash.b, sizeof hash.b, ret_key);
}

bool th_office_may(const th_certificates *certs, const th_certificate_type *type, const th_who *who)
{
    const th_certificate_issuer *issuer = type ? th_certificate_type_issuer(type, th_str_of(certs->code)) : NULL;
    return issuer && (!issuer->office.n || th_str_eq(issuer->office, who->office));
}
