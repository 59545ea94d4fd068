/* What tests/install.sh builds against an installed library: calls something of each kind. */
#include <cosslice.h>

#include <stdio.h>
#include <string.h>

int main(void)
{
    cosslice_config *config = NULL;
    cosslice_upload *upload = NULL;
    int wrong = 0;

    wrong |= cosslice_abi_version() != COSSLICE_ABI_VERSION;
    wrong |= strlen(cosslice_version()) == 0;
    wrong |= cosslice_config_new(&config) != COSSLICE_OK;
    wrong |= cosslice_config_set_str(config, COSSLICE_OPT_APP_ID, "1250000000") != COSSLICE_OK;
    wrong |= cosslice_config_set_u64(config, COSSLICE_OPT_IN_FLIGHT, 65) != COSSLICE_E_INVALID_ARG;
    wrong |= cosslice_upload_new(config, "/x", &upload) != COSSLICE_E_INVALID_ARG || upload != NULL;
    cosslice_upload_free(upload);
    cosslice_config_free(config);
    if (wrong)
        fprintf(stderr, "the installed library does not behave\n");
    return wrong;
}
