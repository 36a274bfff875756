// A PJRT plugin that passes everything on to another one, and fails where it is told to.

#ifndef FORETOKEN_FAULT_PLUGIN_H
#define FORETOKEN_FAULT_PLUGIN_H

// What the next call of GetPjrtApi is to give: the table of the plugin at `path`, with another major version unless that is
// negative, and with that many entries unless that is. Nothing fails until it is told to.
void fault_plugin_stand_before(const char *path, int major, int entries);

// Makes a function fail, by its place in the table: the `call`-th call from now, and all after it.
void fault_plugin_fail(int function, int call);

const void *GetPjrtApi(void);

#endif
