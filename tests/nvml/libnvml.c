/* A libnvidia-ml.so.1 that answers from the text file named in FAKE_NVML, one statement a line:
 *
 *   driver 550.144.03        nvml 12.550.144.03        cuda 12040
 *   init 18                  nvmlInit fails with that code; `init hang` and `init crash` do as they say
 *   count 999                nvmlDeviceGetCount fails with that code
 *   device name="NVIDIA A100-SXM4-80GB" cc=8.0 memory=85899345920 pci=0x20B210DE mig=1 lost=15
 *          fail=memory,name:999 hang=memory crash=name       (without a code: 3, Not Supported)
 *   migdevice parent=0 slot=0 name="..." memory=10468982784
 *
 * -DOLD_LIBRARY leaves out what old drivers do not export. Layouts and names: nvml.h.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS, UNINITIALIZED, INVALID_ARGUMENT, NOT_SUPPORTED, NOT_FOUND = 6, INSUFFICIENT_SIZE, LIMIT = 64, SLOTS = 7 };

typedef struct {
    char line[512];
} Device;

typedef struct {
    char bus_id_legacy[16];
    unsigned domain, bus, device, pci_device_id, pci_subsystem_id;
    char bus_id[32];
} PciInfo;

typedef struct {
    unsigned long long total, free, used;
} Memory;

static Device devices[LIMIT], instances[LIMIT];
static unsigned device_count, instance_count;
static int count_error, initialized;
static char driver[80], nvml[80], cuda[80], init[80];

__attribute__((constructor)) static void load(void) {
    const char *path = getenv("FAKE_NVML");
    FILE *file = path ? fopen(path, "r") : NULL;
    char line[512];
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        sscanf(line, "driver %79s", driver);
        sscanf(line, "nvml %79s", nvml);
        sscanf(line, "cuda %79s", cuda);
        sscanf(line, "init %79s", init);
        sscanf(line, "count %d", &count_error);
        if (!strncmp(line, "device ", 7) && device_count < LIMIT) strcpy(devices[device_count++].line, line);
        if (!strncmp(line, "migdevice ", 10) && instance_count < LIMIT) strcpy(instances[instance_count++].line, line);
    }
    if (file) fclose(file);
}

/* The value of ` key=value` or ` key="a value"`. */
static int field(const Device *device, const char *key, char *value, size_t size) {
    char wanted[40];
    snprintf(wanted, sizeof wanted, " %s=", key);
    const char *start = strstr(device->line, wanted);
    if (!start) return 0;
    start += strlen(wanted);
    const char *end = *start == '"' ? "\"" : " ";
    start += *start == '"';
    snprintf(value, size, "%.*s", (int)strcspn(start, end), start);
    return 1;
}

static unsigned long long number(const Device *device, const char *key, unsigned long long otherwise) {
    char value[40];
    return field(device, key, value, sizeof value) ? strtoull(value, NULL, 0) : otherwise;
}

/* Is `call` in the device's comma-separated list under `key`? Its code, or 0. */
static int listed(const Device *device, const char *key, const char *call) {
    char list[200];
    if (!field(device, key, list, sizeof list)) return 0;
    for (char *item = strtok(list, ","); item; item = strtok(NULL, ",")) {
        char *code = strchr(item, ':');
        if (code) *code++ = 0;
        if (!strcmp(item, call)) return code ? atoi(code) : NOT_SUPPORTED;
    }
    return 0;
}

static void hang(void) {
    for (;;) pause();
}

static int enter(const Device *device, const char *call) {
    if (!initialized) return UNINITIALIZED;
    if (listed(device, "hang", call)) hang();
    if (listed(device, "crash", call)) raise(SIGSEGV);
    return listed(device, "fail", call);
}

static int copy(char *to, unsigned size, const char *from) {
    if (!*from) return NOT_SUPPORTED;
    return (unsigned)snprintf(to, size, "%s", from) < size ? SUCCESS : INSUFFICIENT_SIZE;
}

int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    if (!strcmp(init, "hang")) hang();
    if (!strcmp(init, "crash")) raise(SIGSEGV);
    initialized = !atoi(init);
    return atoi(init);
}

int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }

int nvmlShutdown(void) { return initialized ? SUCCESS : UNINITIALIZED; }

const char *nvmlErrorString(int code) {
    switch (code) {
    case SUCCESS: return "Success";
    case UNINITIALIZED: return "Uninitialized";
    case NOT_SUPPORTED: return "Not Supported";
    case NOT_FOUND: return "Not Found";
    case 9: return "Driver Not Loaded";
    case 15: return "GPU is lost";
    case 18: return "Driver/library version mismatch";
    default: return "Unknown Error";
    }
}

int nvmlSystemGetDriverVersion(char *version, unsigned size) {
    return initialized ? copy(version, size, driver) : UNINITIALIZED;
}

int nvmlSystemGetNVMLVersion(char *version, unsigned size) { return copy(version, size, nvml); }

int nvmlSystemGetCudaDriverVersion_v2(int *version) {
    *version = atoi(cuda);
    return *cuda ? SUCCESS : NOT_SUPPORTED;
}

int nvmlDeviceGetCount_v2(unsigned *count) {
    *count = device_count;
    return initialized ? count_error : UNINITIALIZED;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device **device) {
    if (!initialized) return UNINITIALIZED;
    if (index >= device_count) return INVALID_ARGUMENT;
    *device = &devices[index];
    return (int)number(*device, "lost", SUCCESS);
}

int nvmlDeviceGetName(const Device *device, char *name, unsigned size) {
    char value[200] = "";
    int code = enter(device, "name");
    field(device, "name", value, sizeof value);
    return code ? code : copy(name, size, value);
}

int nvmlDeviceGetCudaComputeCapability(const Device *device, int *major, int *minor) {
    char value[40];
    int code = enter(device, "cc");
    if (code || !field(device, "cc", value, sizeof value)) return code ? code : NOT_SUPPORTED;
    return sscanf(value, "%d.%d", major, minor) == 2 ? SUCCESS : NOT_SUPPORTED;
}

int nvmlDeviceGetMemoryInfo(const Device *device, Memory *memory) {
    int code = enter(device, "memory");
    memory->total = memory->free = number(device, "memory", 0);
    memory->used = 0;
    return code || memory->total ? code : NOT_SUPPORTED;
}

#ifndef OLD_LIBRARY
int nvmlDeviceGetPciInfo_v3(const Device *device, PciInfo *pci) {
    int code = enter(device, "pci");
    memset(pci, 0, sizeof *pci);
    pci->pci_device_id = (unsigned)number(device, "pci", 0);
    return code || pci->pci_device_id ? code : NOT_SUPPORTED;
}

int nvmlDeviceGetMigMode(const Device *device, unsigned *current, unsigned *pending) {
    int code = enter(device, "mig");
    unsigned long long mode = number(device, "mig", 2);
    if (code || mode > 1) return code ? code : NOT_SUPPORTED;
    *current = *pending = (unsigned)mode;
    return SUCCESS;
}

int nvmlDeviceGetMaxMigDeviceCount(const Device *device, unsigned *count) {
    *count = SLOTS;
    return enter(device, "migcount");
}

int nvmlDeviceGetMigDeviceHandleByIndex(const Device *device, unsigned slot, Device **instance) {
    int code = enter(device, "mighandle");
    for (unsigned i = 0; !code && i < instance_count; i++) {
        *instance = &instances[i];
        if (number(*instance, "parent", 0) == (unsigned)(device - devices) && number(*instance, "slot", 0) == slot)
            return SUCCESS;
    }
    return code ? code : NOT_FOUND;
}
#endif
