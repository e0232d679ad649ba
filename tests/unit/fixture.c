/* fixture.c — a small region of the tests' own: registers of persons, companies and parcels, a catalogue of three datasets. */
#include "region.h"

static const char persons[] =
    "{\"name\":\"persons\",\"title\":{\"zh\":\"人员\",\"en\":\"Persons\"},\"description\":{\"zh\":\"测试\",\"en\":\"Of the tests\"},\"owner\":{\"zh\":\"部门\",\"en\":\"Office\",\"uscc\":\"11100000000013338W\"},"
    "\"standard\":{\"zh\":\"标准\",\"en\":\"Standard\"},\"sector\":\"health\",\"refresh\":{\"zh\":\"每日\",\"en\":\"daily\"},\"resource_code\":\"999/1\",\"published\":\"2026-01-01\",\"key\":[\"id_number\"],"
    "\"schema\":{\"type\":\"object\",\"required\":[\"id_number\",\"name\"],\"properties\":{"
    "\"id_number\":{\"type\":\"string\",\"title\":\"号码\",\"x-en\":\"Number\",\"format\":\"citizen-id\"},"
    "\"name\":{\"type\":\"string\",\"title\":\"姓名\",\"x-en\":\"Name\",\"format\":\"name\",\"maxLength\":40},"
    "\"born\":{\"type\":\"string\",\"title\":\"出生\",\"x-en\":\"Born\",\"format\":\"date\"},"
    "\"level\":{\"type\":\"string\",\"title\":\"等级\",\"x-en\":\"Level\",\"enum\":[\"1\",\"2\",\"3\",\"3a\"]},"
    "\"score\":{\"type\":\"integer\",\"title\":\"分数\",\"x-en\":\"Score\",\"minimum\":0,\"maximum\":100},"
    "\"region\":{\"type\":\"string\",\"title\":\"地区\",\"x-en\":\"Region\",\"format\":\"region\"},"
    "\"begun\":{\"type\":\"string\",\"title\":\"起\",\"x-en\":\"From\",\"format\":\"date\"},"
    "\"ended\":{\"type\":\"string\",\"title\":\"止\",\"x-en\":\"To\",\"format\":\"date\"},"
    "\"state\":{\"type\":\"string\",\"title\":\"状态\",\"x-en\":\"State\",\"enum\":[\"valid\",\"revoked\"]},"
    "\"since\":{\"type\":\"string\",\"title\":\"自\",\"x-en\":\"Since\",\"format\":\"date\"},"
    "\"card\":{\"type\":\"string\",\"title\":\"卡号\",\"x-en\":\"Card\",\"pattern\":\"^[A-Z]{2}-[0-9]+$\",\"minLength\":4,\"maxLength\":8}}},"
    "\"verifiable\":[\"name\",\"level\",\"score\",\"card\",\"born\",\"age>=\",\"level>=\",\"valid_on\",\"within\"],\"queryable\":[\"name\",\"level\",\"score\"],\"masked\":[\"id_number\",\"card\"],"
    "\"sensitive\":[\"id_number\"],"
    "\"predicates\":{\"age>=\":{\"kind\":\"age\",\"field\":\"born\",\"title\":\"年满\",\"x-en\":\"Of age\"},"
    "\"level>=\":{\"kind\":\"order\",\"field\":\"level\",\"order\":[\"1\",\"2\",[\"3\",\"3a\"]],\"title\":\"不低于\",\"x-en\":\"At least\"},"
    "\"valid_on\":{\"kind\":\"valid\",\"from\":\"begun\",\"to\":\"ended\",\"state\":\"state\",\"in\":[\"valid\"],\"since\":\"since\",\"title\":\"当日有效\",\"x-en\":\"Valid on\"},"
    "\"within\":{\"kind\":\"within\",\"field\":\"region\",\"title\":\"在区域内\",\"x-en\":\"Within\"}},"
    "\"budget\":{\"subject_mismatches\":3,\"subject_window_s\":60,\"subject_lock_s\":120,\"caller_mismatches_per_minute\":8}}";
static const char companies[] =
    "{\"name\":\"companies\",\"title\":{\"zh\":\"企业\",\"en\":\"Companies\"},\"owner\":{\"zh\":\"部门\",\"en\":\"Office\"},\"sector\":\"innovation\",\"key\":[\"uscc\"],\"tells_absence\":true,"
    "\"duplicates_conflict\":true,\"one_owner\":true,\"schema\":{\"type\":\"object\",\"required\":[\"uscc\",\"name\"],\"properties\":{"
    "\"uscc\":{\"type\":\"string\",\"title\":\"代码\",\"x-en\":\"Code\",\"format\":\"uscc\"},"
    "\"name\":{\"type\":\"string\",\"title\":\"名称\",\"x-en\":\"Name\",\"maxLength\":60},\"capital\":{\"type\":\"integer\",\"title\":\"资本\",\"x-en\":\"Capital\"}}},"
    "\"verifiable\":[\"name\",\"capital\"],\"queryable\":[\"name\",\"capital\"]}";
static const char parcels[] =
    "{\"name\":\"parcels\",\"title\":{\"zh\":\"地块\",\"en\":\"Parcels\"},\"owner\":{\"zh\":\"部门\",\"en\":\"Office\"},\"sector\":\"housing\",\"key\":[\"district\",\"number\"],"
    "\"schema\":{\"type\":\"object\",\"required\":[\"district\",\"number\"],\"properties\":{\"district\":{\"type\":\"string\",\"title\":\"区\",\"x-en\":\"District\"},"
    "\"number\":{\"type\":\"string\",\"title\":\"号\",\"x-en\":\"Number\"},\"area\":{\"type\":\"integer\",\"title\":\"面积\",\"x-en\":\"Area\"}}},\"verifiable\":[\"area\"]}";
static const char stations[] =
    "{\"id\":\"air-stations\",\"title\":{\"zh\":\"空气质量监测站\",\"en\":\"Air quality stations\"},\"description\":{\"zh\":\"京津冀\\u201c监测\\u201d站点\",\"en\":\"Sites\"},\"keywords\":[\"PM2.5\",\"大气\"],"
    "\"publisher\":{\"code\":\"BJ-ENV\",\"zh\":\"环境局\",\"en\":\"Environment\"},\"sector\":\"environment\",\"access\":\"open\",\"licence\":\"CC-BY-4.0\",\"refresh\":{\"zh\":\"每日\",\"en\":\"daily\"},"
    "\"updated\":\"2026-10-01\",\"published\":\"2025-01-01\",\"rows\":2,\"resource_code\":\"307001/1\",\"spatial\":{\"zh\":\"京津冀\",\"en\":\"Jing-Jin-Ji\"},\"temporal\":{\"from\":\"2025-01-01\",\"to\":\"2026-09-30\"},"
    "\"conformsTo\":\"HJ 633\",\"fields\":[{\"name\":\"id\"}],\"distributions\":[{\"format\":\"csv\",\"file\":\"datasets/air.csv\"},{\"format\":\"geojson\",\"file\":\"datasets/air.geojson\"}]}";
static const char schools[] =
    "{\"id\":\"schools\",\"title\":{\"zh\":\"学校名录\",\"en\":\"Schools\"},\"sector\":\"education\",\"access\":\"open\",\"updated\":\"2026-11-01\",\"distributions\":[{\"format\":\"json\",\"file\":\"datasets/schools.json\"}]}";
static const char closed[] =
    "{\"id\":\"closed\",\"title\":{\"zh\":\"不予开放\",\"en\":\"Closed\"},\"sector\":\"education\",\"access\":\"conditional\",\"updated\":\"2026-11-02\",\"distributions\":[{\"format\":\"csv\",\"file\":\"datasets/air.csv\"}]}";

static void fixture_write(bench *b, char ret_dir[128])
{
    static const struct { const char *path, *text; } files[] = {
        {"registers/persons.json", persons}, {"registers/companies.json", companies}, {"registers/parcels.json", parcels}, {"catalogue/1.json", stations}, {"catalogue/2.json", schools},
        {"catalogue/3.json", closed}, {"datasets/air.csv", "id,name\n1,\"a\"\n"}, {"datasets/air.geojson", "{\"type\":\"FeatureCollection\",\"features\":[]}"}, {"datasets/schools.json", "[]"},
        {"datasets/divisions.csv", "code,name,level,parent,member\n110000,北京市,1,,110000\n110100,市辖区,2,110000,110000\n110101,东城区,3,110100,110000\n130000,河北省,1,,130000\n130100,石家庄市,2,130000,130000\n"
                                   "130102,长安区,3,130100,130000\n133100,雄安新区,2,130000,133100\n"}};
    char path[200], name[80];
    snprintf(ret_dir, 128, "%s/small", b->dir);
    bench_shell("mkdir -p %s/registers %s/catalogue %s/datasets", ret_dir, ret_dir, ret_dir);
    for (size_t i = 0; i < TH_COUNT(files); i++) {
        snprintf(name, sizeof name, "small/%s", files[i].path);
        bench_file(b, name, files[i].text, path, sizeof path);
    }
}

char fixture_dir[128];
static bench fixture;

int fixture_open(void **state)
{
    (void)state;
    bench_open(&fixture, false);
    fixture_write(&fixture, fixture_dir);
    return 0;
}

int fixture_close(void **state)
{
    (void)state;
    bench_close(&fixture);
    return 0;
}
