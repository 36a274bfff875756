// PJRT, the C interface of XLA's device plugins, as plain functions.
//
// Every function that can fail returns null or an error. ft_pjrt_missing stands for a function that the plugin lacks;
// other errors are taken by ft_pjrt_take_message and freed by ft_pjrt_free_error.

#ifndef FORETOKEN_PJRT_H
#define FORETOKEN_PJRT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The version of the interface that the layouts are those of.
enum { FT_PJRT_MAJOR = 0, FT_PJRT_MINOR = 81 };

typedef struct ft_pjrt_api ft_pjrt_api;
typedef struct ft_pjrt_error ft_pjrt_error;
typedef struct ft_pjrt_event ft_pjrt_event;
typedef struct ft_pjrt_client ft_pjrt_client;
typedef struct ft_pjrt_device ft_pjrt_device;
typedef struct ft_pjrt_loaded_executable ft_pjrt_loaded_executable;
typedef struct ft_pjrt_buffer ft_pjrt_buffer;

// Element types of buffers.
enum {
  FT_PJRT_BOOLEAN = 1,
  FT_PJRT_INT32 = 4,
  FT_PJRT_INT64 = 5,
  FT_PJRT_UINT32 = 8,
  FT_PJRT_FLOAT32 = 11,
  FT_PJRT_FLOAT64 = 12,
  FT_PJRT_BFLOAT16 = 13,
};

// Text that belongs to the plugin, without a zero at its end.
typedef struct {
  const char *start;
  size_t size;
} ft_pjrt_text;

// Bytes that belong to the plugin until ft_pjrt_free_bytes.
typedef struct {
  const char *start;
  size_t size;
  void *owner;
  void (*deleter)(void *owner);
} ft_pjrt_bytes;

// What a plugin tells about itself: a number where text.start is null.
typedef struct {
  ft_pjrt_text name, text;
  int64_t number;
} ft_pjrt_attribute;

// What a plugin tells about a device. Sizes in bytes; -1 where it does not say.
typedef struct {
  int id;
  ft_pjrt_text kind, text;
  int64_t bytes_limit, bytes_in_use;
} ft_pjrt_device_facts;

// Calls GetPjrtApi, whose address dlsym gave.
const ft_pjrt_api *ft_pjrt_get_api(void *symbol);
int ft_pjrt_major(const ft_pjrt_api *api);
int ft_pjrt_minor(const ft_pjrt_api *api);
ft_pjrt_error *ft_pjrt_initialize(const ft_pjrt_api *api);

// Stands for a function that the plugin's table lacks.
ft_pjrt_error *ft_pjrt_missing(void);
ft_pjrt_text ft_pjrt_message(const ft_pjrt_api *api, const ft_pjrt_error *error);
void ft_pjrt_free_error(const ft_pjrt_api *api, ft_pjrt_error *error);

// The attribute at an index; false past the last.
bool ft_pjrt_get_attribute(const ft_pjrt_api *api, size_t index, ft_pjrt_attribute *attribute);

// Opens the devices, with one integer option unless its name is null.
ft_pjrt_error *ft_pjrt_open(const ft_pjrt_api *api, const char *option, int64_t value, ft_pjrt_client **client);
void ft_pjrt_close(const ft_pjrt_api *api, ft_pjrt_client *client);
ft_pjrt_error *ft_pjrt_platform(const ft_pjrt_api *api, ft_pjrt_client *client, ft_pjrt_text *name,
                                ft_pjrt_text *version);
ft_pjrt_error *ft_pjrt_devices(const ft_pjrt_api *api, ft_pjrt_client *client, ft_pjrt_device *const **devices,
                               size_t *count);
ft_pjrt_error *ft_pjrt_describe(const ft_pjrt_api *api, ft_pjrt_device *device, ft_pjrt_device_facts *facts);

// Compiles MLIR text with serialized options.
ft_pjrt_error *ft_pjrt_compile(const ft_pjrt_api *api, ft_pjrt_client *client, const char *code, size_t code_size,
                               const uint8_t *options, size_t options_size, ft_pjrt_loaded_executable **executable);
ft_pjrt_error *ft_pjrt_count_results(const ft_pjrt_api *api, ft_pjrt_loaded_executable *executable, size_t *count);
// A compiled program as bytes that the same plugin, on the same kind of device, can load again.
ft_pjrt_error *ft_pjrt_serialize(const ft_pjrt_api *api, ft_pjrt_loaded_executable *executable, ft_pjrt_bytes *bytes);
void ft_pjrt_free_bytes(ft_pjrt_bytes bytes);
ft_pjrt_error *ft_pjrt_deserialize(const ft_pjrt_api *api, ft_pjrt_client *client, const void *bytes, size_t size,
                                   ft_pjrt_loaded_executable **executable);
void ft_pjrt_free_executable(const ft_pjrt_api *api, ft_pjrt_loaded_executable *executable);

// Runs a program. Arguments and results lie device by device; there is one event per device, null or to be awaited.
ft_pjrt_error *ft_pjrt_run(const ft_pjrt_api *api, ft_pjrt_loaded_executable *executable, size_t device_count,
                           ft_pjrt_buffer *const *arguments, size_t argument_count, ft_pjrt_buffer **results,
                           size_t result_count, ft_pjrt_event **events);

// Copies to a device; the host's memory is free again when done, which may be null, has happened.
ft_pjrt_error *ft_pjrt_upload(const ft_pjrt_api *api, ft_pjrt_client *client, ft_pjrt_device *device,
                              const void *data, int type, const int64_t *extents, size_t extent_count,
                              const int64_t *byte_strides, size_t byte_stride_count, ft_pjrt_event **done,
                              ft_pjrt_buffer **buffer);
// The size of a buffer on the host, and a copy of it.
ft_pjrt_error *ft_pjrt_host_size(const ft_pjrt_api *api, ft_pjrt_buffer *buffer, size_t *size);
ft_pjrt_error *ft_pjrt_download(const ft_pjrt_api *api, ft_pjrt_buffer *buffer, void *data, size_t size,
                                ft_pjrt_event **done);
void ft_pjrt_free_buffer(const ft_pjrt_api *api, ft_pjrt_buffer *buffer);

// Waits; the event is to be freed all the same.
ft_pjrt_error *ft_pjrt_await(const ft_pjrt_api *api, ft_pjrt_event *event);
void ft_pjrt_free_event(const ft_pjrt_api *api, ft_pjrt_event *event);

#endif
