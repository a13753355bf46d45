/* python.exe for Wine: hands the command line to the CPython library beside it.
 *
 * Wine's C library has the complex functions of C99 as stubs that end the process, and numpy looks for them. On Wine each of them is
 * replaced by the one of this compiler's library before Python starts; on Windows nothing is touched. */
#include <complex.h>
#include <stdio.h>
#include <string.h>
#include <windows.h>

typedef struct { double re, im; } Wide;    /* 16 bytes: passed by address in this calling convention */
typedef struct { float re, im; } Narrow;   /* 8 bytes: passed in a register */

static double complex wide(Wide z) { return __builtin_complex(z.re, z.im); }
static float complex narrow(Narrow z) { return __builtin_complex(z.re, z.im); }
static Wide from_wide(double complex z) { return (Wide){ creal(z), cimag(z) }; }
static Narrow from_narrow(float complex z) { return (Narrow){ crealf(z), cimagf(z) }; }

#define TO_COMPLEX(X) X(cacos) X(cacosh) X(casin) X(casinh) X(catan) X(catanh) X(ccos) X(ccosh) X(cexp) X(clog) X(conj) X(cproj) \
    X(csin) X(csinh) X(csqrt) X(ctan) X(ctanh)
#define TO_REAL(X) X(cabs) X(carg) X(cimag) X(creal)

#define DEFINE_COMPLEX(name) static Wide wide_##name(Wide z) { return from_wide(name(wide(z))); } \
    static Narrow narrow_##name(Narrow z) { return from_narrow(name##f(narrow(z))); }
#define DEFINE_REAL(name) static double wide_##name(Wide z) { return name(wide(z)); } \
    static float narrow_##name(Narrow z) { return name##f(narrow(z)); }
TO_COMPLEX(DEFINE_COMPLEX)
TO_REAL(DEFINE_REAL)
static Wide wide_cpow(Wide x, Wide y) { return from_wide(cpow(wide(x), wide(y))); }
static Narrow narrow_cpow(Narrow x, Narrow y) { return from_narrow(cpowf(narrow(x), narrow(y))); }

/* long double is double for Windows: the third name shares the first one's function */
#define ENTRY(key) { #key, (void *)wide_##key }, { #key "l", (void *)wide_##key }, { #key "f", (void *)narrow_##key },
static const struct { const char *name; void *function; } OURS[] = { TO_COMPLEX(ENTRY) TO_REAL(ENTRY) ENTRY(cpow) };

/* jump to `target`: mov rax, target; jmp rax */
static void redirect(unsigned char *place, void *target)
{
    unsigned char code[12] = { 0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xe0 };
    DWORD was;
    memcpy(code + 2, &target, sizeof target);
    if (!VirtualProtect(place, sizeof code, PAGE_EXECUTE_READWRITE, &was)) return;
    memcpy(place, code, sizeof code);
    VirtualProtect(place, sizeof code, was, &was);
}

static void complete_library_of_wine(void)
{
    HMODULE system = GetModuleHandleW(L"ntdll.dll"), library = LoadLibraryW(L"ucrtbase.dll");
    if (!library || !system || !GetProcAddress(system, "wine_get_version")) return;
    for (size_t place = 0; place < sizeof OURS / sizeof *OURS; place++) {
        void *stub = (void *)GetProcAddress(library, OURS[place].name);
        if (stub) redirect(stub, OURS[place].function);
    }
}

int wmain(int count, wchar_t **words)
{
    typedef int (*Main)(int, wchar_t **);
    complete_library_of_wine();
    HMODULE python = LoadLibraryA(PYTHON_LIBRARY);
    Main run = python ? (Main)(void *)GetProcAddress(python, "Py_Main") : NULL;
    if (!run) {
        fprintf(stderr, "%s: error %lu\n", PYTHON_LIBRARY, GetLastError());
        return 127;
    }
    return run(count, words);
}
