#include <cosslice.h>
