using System.Collections.Frozen;

namespace Myna.Cpu.X86;

/// <summary>Registers that CPUID answers in.</summary>
internal enum CpuidRegister { Eax, Ebx, Ecx, Edx }

/// <summary>
/// Features that CPUID can announce and a model can have or lack, under their names in Linux's /proc/cpuinfo. The encodings are rows of
/// <see cref="CpuFeatures"/>.
/// </summary>
public enum CpuFeature
{
    // Leaf 1 EDX.
    Fpu, Vme, De, Pse, Tsc, Msr, Pae, Mce, Cx8, Apic, Sep, Mtrr, Pge, Mca, Cmov, Pat, Pse36, Clflush, Mmx, Fxsr, Sse, Sse2, Ss, Ht,
    // Leaf 1 ECX.
    Pni, Pclmulqdq, Monitor, Ssse3, Fma, Cx16, Pcid, Sse4_1, Sse4_2, X2Apic, Movbe, Popcnt, TscDeadlineTimer, Aes, Xsave, Avx, F16c, Rdrand, Hypervisor,
    // Leaf 7.
    FsGsBase, TscAdjust, Bmi1, Avx2, Smep, Bmi2, Erms, Invpcid, Rdseed, Adx, Smap, ClflushOpt, Clwb, ShaNi,
    Umip, Pku, Vaes, Vpclmulqdq, La57, Rdpid, Gfni, Movdiri, Fsrm, SpecCtrl, ArchCapabilities, BhiCtrl,
    // Leaf 0xD, 1.
    XsaveOpt, Xsavec, Xgetbv1, Xsaves,
    // Leaf 6.
    Arat,
    // Leaf 0x8000_0001.
    Syscall, Nx, Pdpe1gb, Rdtscp, Lm, LahfLm, CmpLegacy, Abm, Sse4a, MisalignSse, Prefetchw,
    // Leaf 0x8000_0007.
    ConstantTsc,
}

/// <summary>The rows of the feature table.</summary>
internal static class CpuFeatures
{
    internal sealed record Row(CpuFeature Feature, string Name, uint Leaf, uint Subleaf, CpuidRegister Register, int Bit);

    private static Row[] Rows(uint leaf, uint subleaf, CpuidRegister register, params (CpuFeature Feature, string Name, int Bit)[] bits)
        => [.. bits.Select(b => new Row(b.Feature, b.Name, leaf, subleaf, register, b.Bit))];

    public static readonly Row[] All =
    [
        .. Rows(1, 0, CpuidRegister.Edx,
            (CpuFeature.Fpu, "fpu", 0), (CpuFeature.Vme, "vme", 1), (CpuFeature.De, "de", 2), (CpuFeature.Pse, "pse", 3), (CpuFeature.Tsc, "tsc", 4),
            (CpuFeature.Msr, "msr", 5), (CpuFeature.Pae, "pae", 6), (CpuFeature.Mce, "mce", 7), (CpuFeature.Cx8, "cx8", 8), (CpuFeature.Apic, "apic", 9),
            (CpuFeature.Sep, "sep", 11), (CpuFeature.Mtrr, "mtrr", 12), (CpuFeature.Pge, "pge", 13), (CpuFeature.Mca, "mca", 14), (CpuFeature.Cmov, "cmov", 15),
            (CpuFeature.Pat, "pat", 16), (CpuFeature.Pse36, "pse36", 17), (CpuFeature.Clflush, "clflush", 19), (CpuFeature.Mmx, "mmx", 23), (CpuFeature.Fxsr, "fxsr", 24),
            (CpuFeature.Sse, "sse", 25), (CpuFeature.Sse2, "sse2", 26), (CpuFeature.Ss, "ss", 27), (CpuFeature.Ht, "ht", 28)),
        .. Rows(1, 0, CpuidRegister.Ecx,
            (CpuFeature.Pni, "pni", 0), (CpuFeature.Pclmulqdq, "pclmulqdq", 1), (CpuFeature.Monitor, "monitor", 3), (CpuFeature.Ssse3, "ssse3", 9), (CpuFeature.Fma, "fma", 12),
            (CpuFeature.Cx16, "cx16", 13), (CpuFeature.Pcid, "pcid", 17), (CpuFeature.Sse4_1, "sse4_1", 19), (CpuFeature.Sse4_2, "sse4_2", 20),
            (CpuFeature.X2Apic, "x2apic", 21), (CpuFeature.Movbe, "movbe", 22), (CpuFeature.Popcnt, "popcnt", 23), (CpuFeature.TscDeadlineTimer, "tsc_deadline_timer", 24),
            (CpuFeature.Aes, "aes", 25), (CpuFeature.Xsave, "xsave", 26), (CpuFeature.Avx, "avx", 28), (CpuFeature.F16c, "f16c", 29), (CpuFeature.Rdrand, "rdrand", 30),
            (CpuFeature.Hypervisor, "hypervisor", 31)),
        .. Rows(6, 0, CpuidRegister.Eax, (CpuFeature.Arat, "arat", 2)),
        .. Rows(7, 0, CpuidRegister.Ebx,
            (CpuFeature.FsGsBase, "fsgsbase", 0), (CpuFeature.TscAdjust, "tsc_adjust", 1), (CpuFeature.Bmi1, "bmi1", 3), (CpuFeature.Avx2, "avx2", 5), (CpuFeature.Smep, "smep", 7),
            (CpuFeature.Bmi2, "bmi2", 8), (CpuFeature.Erms, "erms", 9), (CpuFeature.Invpcid, "invpcid", 10), (CpuFeature.Rdseed, "rdseed", 18), (CpuFeature.Adx, "adx", 19),
            (CpuFeature.Smap, "smap", 20), (CpuFeature.ClflushOpt, "clflushopt", 23), (CpuFeature.Clwb, "clwb", 24), (CpuFeature.ShaNi, "sha_ni", 29)),
        .. Rows(7, 0, CpuidRegister.Ecx,
            (CpuFeature.Umip, "umip", 2), (CpuFeature.Pku, "pku", 3), (CpuFeature.Gfni, "gfni", 8), (CpuFeature.Vaes, "vaes", 9), (CpuFeature.Vpclmulqdq, "vpclmulqdq", 10),
            (CpuFeature.La57, "la57", 16), (CpuFeature.Rdpid, "rdpid", 22), (CpuFeature.Movdiri, "movdiri", 27)),
        .. Rows(7, 0, CpuidRegister.Edx, (CpuFeature.Fsrm, "fsrm", 4), (CpuFeature.SpecCtrl, "spec_ctrl", 26), (CpuFeature.ArchCapabilities, "arch_capabilities", 29)),
        .. Rows(7, 2, CpuidRegister.Edx, (CpuFeature.BhiCtrl, "bhi_ctrl", 4)),
        .. Rows(0xD, 1, CpuidRegister.Eax,
            (CpuFeature.XsaveOpt, "xsaveopt", 0), (CpuFeature.Xsavec, "xsavec", 1), (CpuFeature.Xgetbv1, "xgetbv1", 2), (CpuFeature.Xsaves, "xsaves", 3)),
        .. Rows(0x8000_0001, 0, CpuidRegister.Edx,
            (CpuFeature.Syscall, "syscall", 11), (CpuFeature.Nx, "nx", 20), (CpuFeature.Pdpe1gb, "pdpe1gb", 26), (CpuFeature.Rdtscp, "rdtscp", 27), (CpuFeature.Lm, "lm", 29)),
        .. Rows(0x8000_0001, 0, CpuidRegister.Ecx,
            (CpuFeature.LahfLm, "lahf_lm", 0), (CpuFeature.CmpLegacy, "cmp_legacy", 1), (CpuFeature.Abm, "abm", 5), (CpuFeature.Sse4a, "sse4a", 6),
            (CpuFeature.MisalignSse, "misalignsse", 7), (CpuFeature.Prefetchw, "3dnowprefetch", 8)),
        .. Rows(0x8000_0007, 0, CpuidRegister.Edx, (CpuFeature.ConstantTsc, "constant_tsc", 8)),
    ];

    public static readonly FrozenDictionary<string, CpuFeature> ByName = BuildNames();

    private static FrozenDictionary<string, CpuFeature> BuildNames()
    {
        var names = All.ToDictionary(r => r.Name, r => r.Feature, StringComparer.OrdinalIgnoreCase);
        // Names that people know from elsewhere.
        foreach ((string alias, CpuFeature feature) in new[]
        {
            ("sse3", CpuFeature.Pni), ("sse4.1", CpuFeature.Sse4_1), ("sse4.2", CpuFeature.Sse4_2), ("lzcnt", CpuFeature.Abm), ("sha-ni", CpuFeature.ShaNi), ("sha", CpuFeature.ShaNi),
            ("cmpxchg16b", CpuFeature.Cx16), ("invtsc", CpuFeature.ConstantTsc), ("tsc-deadline", CpuFeature.TscDeadlineTimer), ("pclmul", CpuFeature.Pclmulqdq),
        })
        {
            names[alias] = feature;
        }
        return names.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);
    }
}
