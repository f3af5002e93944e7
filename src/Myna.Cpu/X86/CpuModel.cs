namespace Myna.Cpu.X86;

/// <summary>A CPU model: what CPUID says, and with it what the CPU does.</summary>
public sealed partial class CpuModel
{
    private readonly bool[] _features = new bool[Enum.GetValues<CpuFeature>().Length];

    private CpuModel(string name, string brand)
    {
        Name = name;
        Brand = brand;
    }

    /// <summary>The description that was parsed.</summary>
    public string Name { get; }

    /// <summary>The processor brand string, at most 47 characters.</summary>
    public string Brand { get; }

    /// <summary>
    /// What a machine gets that is not told otherwise: everything but 5-level paging, which makes each TLB miss longer, and ADX,
    /// whose two carry chains cost more in translation than one.
    /// </summary>
    public const string Default = "max,-la57,-adx";

    /// <summary>Names of the models.</summary>
    public static IReadOnlyList<string> Names { get; } = ["qemu64", "x86-64-v1", "x86-64-v2", "x86-64-v3", "max", "host"];

    /// <summary>Names of the features that can be added or removed.</summary>
    public static IReadOnlyList<string> FeatureNames => [.. CpuFeatures.All.Where(r => s_max.Contains(r.Feature)).Select(r => r.Name)];

    public bool Has(CpuFeature feature) => _features[(int)feature];

    // What a PC's operating system expects of any 64-bit CPU of the last years, none of it visible to user programs.
    private static readonly CpuFeature[] s_system =
    [
        CpuFeature.Fpu, CpuFeature.Vme, CpuFeature.De, CpuFeature.Pse, CpuFeature.Tsc, CpuFeature.Msr, CpuFeature.Pae, CpuFeature.Mce, CpuFeature.Cx8, CpuFeature.Apic,
        CpuFeature.Sep, CpuFeature.Mtrr, CpuFeature.Pge, CpuFeature.Mca, CpuFeature.Cmov, CpuFeature.Pat, CpuFeature.Pse36, CpuFeature.Clflush, CpuFeature.Mmx, CpuFeature.Fxsr,
        CpuFeature.Sse, CpuFeature.Sse2, CpuFeature.Hypervisor, CpuFeature.Syscall, CpuFeature.Nx, CpuFeature.Lm, CpuFeature.LahfLm, CpuFeature.X2Apic, CpuFeature.TscDeadlineTimer,
        CpuFeature.Arat, CpuFeature.ConstantTsc, CpuFeature.TscAdjust, CpuFeature.Rdtscp, CpuFeature.Ht,
        CpuFeature.SpecCtrl, CpuFeature.ArchCapabilities, CpuFeature.BhiCtrl,
    ];

    private static readonly CpuFeature[] s_v2 = [CpuFeature.Cx16, CpuFeature.Popcnt, CpuFeature.Pni, CpuFeature.Ssse3, CpuFeature.Sse4_1, CpuFeature.Sse4_2];

    // x86-64-v3 (System V ABI, AMD64 supplement, table 3.1), as far as it is done.
    private static readonly CpuFeature[] s_v3 = [CpuFeature.Movbe, CpuFeature.Abm, CpuFeature.Bmi1, CpuFeature.Bmi2, CpuFeature.Xsave, CpuFeature.XsaveOpt, CpuFeature.Avx, CpuFeature.Avx2, CpuFeature.Fma, CpuFeature.F16c];

    // Everything else that works.
    private static readonly CpuFeature[] s_more =
    [
        CpuFeature.Pcid, CpuFeature.Invpcid, CpuFeature.Smep, CpuFeature.Smap, CpuFeature.Umip, CpuFeature.FsGsBase, CpuFeature.Pdpe1gb, CpuFeature.La57, CpuFeature.Rdpid,
        CpuFeature.Erms, CpuFeature.Fsrm, CpuFeature.ClflushOpt, CpuFeature.Clwb, CpuFeature.Rdrand, CpuFeature.Rdseed, CpuFeature.Adx, CpuFeature.Prefetchw,
        CpuFeature.Aes, CpuFeature.Pclmulqdq, CpuFeature.ShaNi, CpuFeature.Gfni, CpuFeature.Vaes, CpuFeature.Vpclmulqdq,
        CpuFeature.Xsavec, CpuFeature.Xgetbv1, CpuFeature.Xsaves,
    ];

    private static readonly HashSet<CpuFeature> s_max = [.. s_system, .. s_v2, .. s_v3, .. s_more];

    // Without the first there is no second.
    private static readonly (CpuFeature Base, CpuFeature Needs)[] s_dependencies =
    [
        (CpuFeature.Xsave, CpuFeature.Avx), (CpuFeature.Xsave, CpuFeature.XsaveOpt), (CpuFeature.Xsave, CpuFeature.Xsavec), (CpuFeature.Xsave, CpuFeature.Xgetbv1), (CpuFeature.Xsave, CpuFeature.Xsaves),
        (CpuFeature.Avx, CpuFeature.Avx2), (CpuFeature.Avx, CpuFeature.Fma), (CpuFeature.Avx, CpuFeature.F16c), (CpuFeature.Avx, CpuFeature.Vaes), (CpuFeature.Avx, CpuFeature.Vpclmulqdq),
        (CpuFeature.Fxsr, CpuFeature.Sse), (CpuFeature.Sse, CpuFeature.Sse2), (CpuFeature.Sse2, CpuFeature.Pni), (CpuFeature.Pae, CpuFeature.Lm), (CpuFeature.Lm, CpuFeature.La57),
        (CpuFeature.Lm, CpuFeature.Pdpe1gb), (CpuFeature.Pcid, CpuFeature.Invpcid), (CpuFeature.Xsave, CpuFeature.Pku),
    ];

    /// <summary>A model by its description: <c>NAME[,+feature][,-feature]…</c>, features by their names in /proc/cpuinfo.</summary>
    /// <exception cref="FormatException">No such model or feature; the message lists what there is.</exception>
    public static CpuModel Parse(string description)
    {
        string[] parts = description.Split(',', StringSplitOptions.TrimEntries);
        CpuModel model = parts[0] switch
        {
            "qemu64" => Create(description, "QEMU Virtual CPU version 2.5+", [CpuFeature.Pni, CpuFeature.Cx16]),
            "x86-64-v1" => Create(description, "Myna x86-64-v1", []),
            "x86-64-v2" => Create(description, "Myna x86-64-v2", s_v2),
            "x86-64-v3" => Create(description, "Myna x86-64-v3", [.. s_v2, .. s_v3]),
            // The same: what emulation adds to the host, and what it leaves out, is the engine's to say.
            "max" or "host" => Create(description, "Myna", [.. s_max]),
            _ => throw new FormatException($"no CPU model '{parts[0]}'; there are {string.Join(", ", Names)}"),
        };
        foreach (string part in parts.Skip(1))
        {
            if (part.Length < 2 || part[0] is not ('+' or '-'))
                throw new FormatException($"'{part}' is no feature: write +NAME or -NAME");
            if (!CpuFeatures.ByName.TryGetValue(part[1..], out CpuFeature feature) || !s_max.Contains(feature))
                throw new FormatException($"no CPU feature '{part[1..]}'; there are {string.Join(", ", FeatureNames)}");
            model._features[(int)feature] = part[0] == '+';
        }
        model.RemoveWhatTheHostLacks();
        model.RemoveDependents();
        return model;
    }

    /// <summary>The model without some features and what depends on them.</summary>
    public CpuModel Without(IEnumerable<CpuFeature> features)
    {
        CpuModel model = new(Name, Brand);
        _features.CopyTo(model._features, 0);
        foreach (CpuFeature feature in features)
            model._features[(int)feature] = false;
        model.RemoveDependents();
        return model;
    }

    /// <summary>The model with more features.</summary>
    public CpuModel With(IEnumerable<CpuFeature> features)
    {
        CpuModel model = Without([]);
        foreach (CpuFeature feature in features)
            model._features[(int)feature] = true;
        return model;
    }

    /// <summary>Whether Myna itself executes what belongs to a feature.</summary>
    internal static bool Knows(CpuFeature feature) => s_max.Contains(feature);

    /// <summary>A feature's name in /proc/cpuinfo.</summary>
    public static string NameOf(CpuFeature feature) => Array.Find(CpuFeatures.All, r => r.Feature == feature)!.Name;

    private void RemoveDependents()
    {
        foreach ((CpuFeature needed, CpuFeature feature) in s_dependencies)
        {
            if (!Has(needed))
                _features[(int)feature] = false;
        }
    }

    private static CpuModel Create(string name, string brand, CpuFeature[] features)
    {
        CpuModel model = new(name, brand);
        foreach (CpuFeature feature in s_system)
            model._features[(int)feature] = true;
        foreach (CpuFeature feature in features)
            model._features[(int)feature] = true;
        return model;
    }
}
