#include "foretoken_kernels.h"
