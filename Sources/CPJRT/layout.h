// The layouts that Foretoken uses of PJRT, the C interface of XLA's device plugins.
//
// Written from the interface's published layout (openxla/xla, xla/pjrt/c/pjrt_c_api.h, versions 0.81 to 0.116): a plugin
// exports GetPjrtApi, which returns a table of functions that all take one pointer to a struct of arguments and return an
// error or null. Tables and structs grow at their ends only, and begin with their size, so that programs and plugins of
// different minor versions understand each other: a caller says how much of a struct it knows, and looks at the size of
// the table before it reads an entry.


#ifndef FORETOKEN_PJRT_LAYOUT_H
#define FORETOKEN_PJRT_LAYOUT_H

#include "foretoken_pjrt.h"

typedef struct ft_pjrt_device_description ft_pjrt_device_description;
typedef struct ft_pjrt_executable ft_pjrt_executable;

// Places in the table of functions.
typedef enum {
  FT_PJRT_ERROR_DESTROY = 0,
  FT_PJRT_ERROR_MESSAGE = 1,
  FT_PJRT_ERROR_CODE = 2,
  FT_PJRT_PLUGIN_INITIALIZE = 3,
  FT_PJRT_PLUGIN_ATTRIBUTES = 4,
  FT_PJRT_EVENT_DESTROY = 5,
  FT_PJRT_EVENT_AWAIT = 8,
  FT_PJRT_CLIENT_CREATE = 10,
  FT_PJRT_CLIENT_DESTROY = 11,
  FT_PJRT_CLIENT_PLATFORM_NAME = 12,
  FT_PJRT_CLIENT_PLATFORM_VERSION = 14,
  FT_PJRT_CLIENT_ADDRESSABLE_DEVICES = 16,
  FT_PJRT_CLIENT_COMPILE = 20,
  FT_PJRT_CLIENT_BUFFER_FROM_HOST = 22,
  FT_PJRT_DESCRIPTION_ID = 23,
  FT_PJRT_DESCRIPTION_KIND = 26,
  FT_PJRT_DESCRIPTION_TEXT = 27,
  FT_PJRT_DEVICE_DESCRIPTION = 29,
  FT_PJRT_DEVICE_MEMORY_STATS = 34,
  FT_PJRT_EXECUTABLE_DESTROY = 40,
  FT_PJRT_EXECUTABLE_OUTPUT_COUNT = 44,
  FT_PJRT_EXECUTABLE_SERIALIZE = 49,
  FT_PJRT_LOADED_DESTROY = 50,
  FT_PJRT_LOADED_GET_EXECUTABLE = 51,
  FT_PJRT_LOADED_EXECUTE = 55,
  FT_PJRT_EXECUTABLE_DESERIALIZE = 56,
  FT_PJRT_BUFFER_DESTROY = 58,
  FT_PJRT_BUFFER_TO_HOST = 70,
} ft_pjrt_function;

// Types of named values, and how long the host's memory must stay as it is during an upload.
enum { FT_PJRT_STRING = 0, FT_PJRT_INTEGER = 1, FT_PJRT_INTEGERS = 2, FT_PJRT_BOOL = 4 };
enum { FT_PJRT_DURING_CALL = 0 };

// A struct of arguments and, as NAME_size, how much of it we know: to the end of its last field, without padding.
#define FT_PJRT_STRUCT(NAME, LAST, ...) \
  typedef struct NAME {                 \
    size_t struct_size;                 \
    void *extension_start;              \
    __VA_ARGS__                         \
  } NAME;                               \
  enum { NAME##_size = offsetof(NAME, LAST) + sizeof(((NAME *)0)->LAST) }

FT_PJRT_STRUCT(ft_pjrt_version, minor, int major; int minor;);

// The table. Entries past struct_size are not there.
struct ft_pjrt_api {
  size_t struct_size;
  void *extension_start;
  ft_pjrt_version version;
  void *functions[];
};

// A key with a value: of options that we give, and of attributes that a plugin tells.
FT_PJRT_STRUCT(ft_pjrt_named_value, value_size, const char *name; size_t name_size; int type;
               union {
                 const char *string;
                 int64_t integer;
                 const int64_t *integers;
                 float number;
                 bool boolean;
               } value;
               size_t value_size;);

FT_PJRT_STRUCT(ft_pjrt_error_destroy, error, ft_pjrt_error *error;);
FT_PJRT_STRUCT(ft_pjrt_error_message, message_size, const ft_pjrt_error *error; const char *message;
               size_t message_size;);
FT_PJRT_STRUCT(ft_pjrt_error_code, code, const ft_pjrt_error *error; int code;);

typedef struct {
  size_t struct_size;
  void *extension_start;
} ft_pjrt_plugin_initialize;
enum { ft_pjrt_plugin_initialize_size = sizeof(ft_pjrt_plugin_initialize) };
FT_PJRT_STRUCT(ft_pjrt_plugin_attributes, count, const ft_pjrt_named_value *attributes; size_t count;);

FT_PJRT_STRUCT(ft_pjrt_event_arguments, event, ft_pjrt_event *event;);

FT_PJRT_STRUCT(ft_pjrt_client_create, try_get_argument, const ft_pjrt_named_value *options; size_t option_count;
               void *get; void *get_argument; void *put; void *put_argument; ft_pjrt_client *client; void *try_get;
               void *try_get_argument;);
FT_PJRT_STRUCT(ft_pjrt_client_destroy, client, ft_pjrt_client *client;);
FT_PJRT_STRUCT(ft_pjrt_client_text, size, ft_pjrt_client *client; const char *text; size_t size;);
FT_PJRT_STRUCT(ft_pjrt_client_devices, count, ft_pjrt_client *client; ft_pjrt_device *const *devices; size_t count;);

FT_PJRT_STRUCT(ft_pjrt_program, format_size, char *code; size_t code_size; const char *format; size_t format_size;);
FT_PJRT_STRUCT(ft_pjrt_client_compile, executable, ft_pjrt_client *client; const ft_pjrt_program *program;
               const char *options; size_t options_size; ft_pjrt_loaded_executable *executable;);
FT_PJRT_STRUCT(ft_pjrt_buffer_from_host, buffer, ft_pjrt_client *client; const void *data; int type;
               const int64_t *extents; size_t extent_count; const int64_t *byte_strides; size_t byte_stride_count;
               int semantics; ft_pjrt_device *device; void *memory; void *layout; ft_pjrt_event *done;
               ft_pjrt_buffer *buffer;);

FT_PJRT_STRUCT(ft_pjrt_description_id, id, ft_pjrt_device_description *description; int id;);
FT_PJRT_STRUCT(ft_pjrt_description_text, size, ft_pjrt_device_description *description; const char *text;
               size_t size;);
FT_PJRT_STRUCT(ft_pjrt_device_get_description, description, ft_pjrt_device *device;
               ft_pjrt_device_description *description;);

FT_PJRT_STRUCT(ft_pjrt_memory_stats, has_peak_pool_bytes, ft_pjrt_device *device; int64_t bytes_in_use;
               int64_t peak_bytes_in_use; bool has_peak_bytes_in_use; int64_t allocations; bool has_allocations;
               int64_t largest_allocation; bool has_largest_allocation; int64_t bytes_limit; bool has_bytes_limit;
               int64_t bytes_reserved; bool has_bytes_reserved; int64_t peak_bytes_reserved;
               bool has_peak_bytes_reserved; int64_t reservable_limit; bool has_reservable_limit;
               int64_t largest_free_block; bool has_largest_free_block; int64_t pool_bytes; bool has_pool_bytes;
               int64_t peak_pool_bytes; bool has_peak_pool_bytes;);

FT_PJRT_STRUCT(ft_pjrt_executable_destroy, executable, ft_pjrt_executable *executable;);
FT_PJRT_STRUCT(ft_pjrt_executable_output_count, count, ft_pjrt_executable *executable; size_t count;);
FT_PJRT_STRUCT(ft_pjrt_executable_serialize, deleter, const ft_pjrt_executable *executable; const char *bytes;
               size_t size; void *owner; void (*deleter)(void *owner););
FT_PJRT_STRUCT(ft_pjrt_executable_deserialize, options_size, ft_pjrt_client *client; const char *bytes; size_t size;
               ft_pjrt_loaded_executable *executable; const char *options; size_t options_size;);
FT_PJRT_STRUCT(ft_pjrt_loaded_destroy, executable, ft_pjrt_loaded_executable *executable;);
FT_PJRT_STRUCT(ft_pjrt_loaded_get_executable, executable, ft_pjrt_loaded_executable *loaded;
               ft_pjrt_executable *executable;);
FT_PJRT_STRUCT(ft_pjrt_execute_options, incarnation_ids, void *send_callbacks; void *receive_callbacks;
               size_t send_count; size_t receive_count; int launch_id; const int64_t *not_donated;
               size_t not_donated_count; void *context; const char *call_location; size_t task_count; int *task_ids;
               int64_t *incarnation_ids;);
FT_PJRT_STRUCT(ft_pjrt_execute, device, ft_pjrt_loaded_executable *executable; ft_pjrt_execute_options *options;
               ft_pjrt_buffer *const *const *argument_lists; size_t device_count; size_t argument_count;
               ft_pjrt_buffer **const *output_lists; ft_pjrt_event **complete_events; ft_pjrt_device *device;);

FT_PJRT_STRUCT(ft_pjrt_buffer_destroy, buffer, ft_pjrt_buffer *buffer;);
FT_PJRT_STRUCT(ft_pjrt_buffer_to_host, event, ft_pjrt_buffer *buffer; void *layout; void *data; size_t size;
               ft_pjrt_event *event;);

#endif
