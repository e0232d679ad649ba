/* names-private.h — the table of characters that stand for another. */
#ifndef TH_RECORDS_NAMES_PRIVATE_H
#define TH_RECORDS_NAMES_PRIVATE_H
#include "kernel/records/names.h"

typedef struct th_name_twin { uint32_t from, to; } th_name_twin;
extern const th_name_twin th_name_twins[];
extern const size_t th_name_twin_count;
#endif
