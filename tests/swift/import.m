/* Compiled as Objective-C, by the module that Swift imports: what Swift's importer makes of the header follows from this. */
@import CCosslice;

/* Statuses are negative, so their enum is signed; the numbers that functions take as uint32_t come from unsigned enums. */
_Static_assert(__builtin_types_compatible_p(__typeof__(enum cosslice_code), int), "statuses are not int");
_Static_assert(__builtin_types_compatible_p(__typeof__(enum cosslice_option), unsigned), "options are not unsigned");
_Static_assert(__builtin_types_compatible_p(__typeof__(enum cosslice_info), unsigned), "infos are not unsigned");
_Static_assert(__builtin_types_compatible_p(__typeof__(enum cosslice_phase), unsigned), "phases are not unsigned");
_Static_assert(__builtin_types_compatible_p(__typeof__(enum cosslice_level), unsigned), "levels are not unsigned");
_Static_assert(__builtin_types_compatible_p(__typeof__(enum cosslice_sign_field), unsigned), "sign fields are not unsigned");
_Static_assert(__builtin_types_compatible_p(cosslice_status, int32_t), "a status is not int32_t");
_Static_assert(sizeof(cosslice_status) == sizeof(enum cosslice_code), "a status is no code");
/* A macro of one integer literal is imported as a constant. */
_Static_assert(__builtin_types_compatible_p(__typeof__(COSSLICE_ABI_VERSION), int), "the ABI version is no plain number");

static size_t sign(void *user, const cosslice_sign_request *request, char *out, size_t out_size)
{
    (void)user, (void)request, (void)out, (void)out_size;
    return 0;
}

cosslice_status uses(cosslice_config *config)
{
    return cosslice_config_set_signer(config, sign, 0, 0);
}
