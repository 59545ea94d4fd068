/*
 * The whole use of libcosslice on one card: push the bytes of a file to COS, piece by piece.
 *
 *     postcard FILE /path/in/bucket
 *
 * A program that makes its bytes itself does the same: say the size in `init`, `feed` pieces of any length, `finish`.
 */
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64

#include <cosslice.h>
#include <stdio.h>
#include <stdlib.h>

/* The library reads no environment; a program may. */
static const struct {
    uint32_t option;
    const char *variable;
} settings[] = {
    {COSSLICE_OPT_APP_ID, "COSSLICE_APP_ID"},         {COSSLICE_OPT_BUCKET, "COSSLICE_BUCKET"},
    {COSSLICE_OPT_REGION, "COSSLICE_REGION"},         {COSSLICE_OPT_ENDPOINT, "COSSLICE_ENDPOINT"},
    {COSSLICE_OPT_SECRET_ID, "COSSLICE_SECRET_ID"},   {COSSLICE_OPT_SECRET_KEY, "COSSLICE_SECRET_KEY"},
};

int main(int argc, char **argv)
{
    static char piece[65536];
    cosslice_config *config = NULL;
    cosslice_upload *upload = NULL;
    FILE *in = argc == 3 ? fopen(argv[1], "rb") : NULL;
    off_t size = in && fseeko(in, 0, SEEK_END) == 0 ? ftello(in) : -1;
    size_t i, len;

    if (size < 0) {
        fprintf(stderr, "usage: postcard FILE /path/in/bucket (FILE must be a readable, seekable file)\n");
        if (in)
            fclose(in);
        return 2;
    }
    rewind(in);

    cosslice_status status = cosslice_config_new(&config);
    for (i = 0; status == COSSLICE_OK && i < sizeof settings / sizeof *settings; i++)
        if (getenv(settings[i].variable))
            status = cosslice_config_set_str(config, settings[i].option, getenv(settings[i].variable));

    if (status == COSSLICE_OK)
        status = cosslice_upload_new(config, argv[2], &upload);
    if (status == COSSLICE_OK)
        status = cosslice_upload_init(upload, (uint64_t)size);
    while (status == COSSLICE_OK && (len = fread(piece, 1, sizeof piece, in)) > 0)
        status = cosslice_upload_feed(upload, piece, len);
    if (status == COSSLICE_OK)
        status = cosslice_upload_finish(upload); /* refuses if a read error cut the file short */

    if (status == COSSLICE_OK)
        printf("%s\n", cosslice_upload_get_str(upload, COSSLICE_INFO_ACCESS_URL));
    else
        fprintf(stderr, "postcard: %s: %s\n", cosslice_status_str(status),
                upload ? cosslice_upload_get_str(upload, COSSLICE_INFO_MESSAGE) : cosslice_config_message(config));

    cosslice_upload_free(upload);
    cosslice_config_free(config);
    fclose(in);
    return status == COSSLICE_OK ? 0 : 1;
}
