/* Identifiers, as they are stored and as people write them. */
#include "fuzz.h"
#include "kernel/records/ids.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    th_str text = fuzz_input(data, size);
    char normal[19], code[64];
    unsigned changes = 0;
    const char *zh, *en;
    int64_t today = INT64_C(1795507200000000);
    th_id_fault faults[] = {th_citizen_id_check(text, today), th_uscc_check(text), th_org_code_check(text), th_item_code_check(text, NULL)};
    for (size_t i = 0; i < TH_COUNT(faults); i++) {
        th_id_fault_words(faults[i], &zh, &en);
        MUST(th_id_fault_code(faults[i])[0] && zh[0] && en[0]);
    }
    if (faults[0] == TH_ID_OK) {
        MUST(text.n == 18 && th_citizen_id_digit(text.p) == text.p[17] && th_citizen_id_ok(text));
        MUST(th_citizen_id_normalise(text, normal, &changes) && th_str_is(text, normal) && !changes); /* the stored form is its own */
    }
    if (faults[1] == TH_ID_OK)
        MUST(text.n == 18 && th_uscc_digit(text.p) == text.p[17]);
    if (faults[2] == TH_ID_OK)
        MUST(text.n == 9 && th_org_code_digit(text.p) == text.p[8]);
    if (th_utf8_valid(text) && th_citizen_id_normalise(text, normal, &changes)) {
        char again[19];
        MUST(strlen(normal) <= 18 && th_citizen_id_normalise(th_str_of(normal), again, &changes) && strcmp(normal, again) == 0);
    }
    th_code_normalise(text, code, sizeof code, &changes);
    th_ecert_id parts;
    if (th_ecert_id_check(text, &parts) == TH_ID_OK)
        MUST(text.n > 0);
    return 0;
}
