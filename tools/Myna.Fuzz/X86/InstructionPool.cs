using System.Runtime.Intrinsics.X86;
using Iced.Intel;

namespace Myna.Fuzz.X86;

/// <summary>The encodings that cases are made of.</summary>
internal sealed class InstructionPool
{
    /// <summary>Iced's name, and where the host's CPUID announces it: leaf, subleaf, register (0 EAX to 3 EDX), bit.</summary>
    private static readonly (CpuidFeature Name, uint Leaf, uint Subleaf, int Register, int Bit)[] s_features =
    [
        (CpuidFeature.CMOV, 1, 0, 3, 15),
        (CpuidFeature.CX8, 1, 0, 3, 8),
        (CpuidFeature.CMPXCHG16B, 1, 0, 2, 13),
        (CpuidFeature.MMX, 1, 0, 3, 23),
        (CpuidFeature.FXSR, 1, 0, 3, 24),
        (CpuidFeature.SSE, 1, 0, 3, 25),
        (CpuidFeature.SSE2, 1, 0, 3, 26),
        (CpuidFeature.SSE3, 1, 0, 2, 0),
        (CpuidFeature.SSSE3, 1, 0, 2, 9),
        (CpuidFeature.SSE4_1, 1, 0, 2, 19),
        (CpuidFeature.SSE4_2, 1, 0, 2, 20),
        (CpuidFeature.POPCNT, 1, 0, 2, 23),
        (CpuidFeature.MOVBE, 1, 0, 2, 22),
        (CpuidFeature.AES, 1, 0, 2, 25),
        (CpuidFeature.PCLMULQDQ, 1, 0, 2, 1),
        (CpuidFeature.AVX, 1, 0, 2, 28),
        (CpuidFeature.FMA, 1, 0, 2, 12),
        (CpuidFeature.F16C, 1, 0, 2, 29),
        (CpuidFeature.AVX2, 7, 0, 1, 5),
        (CpuidFeature.BMI1, 7, 0, 1, 3),
        (CpuidFeature.BMI2, 7, 0, 1, 8),
        (CpuidFeature.ADX, 7, 0, 1, 19),
        (CpuidFeature.SHA, 7, 0, 1, 29),
        (CpuidFeature.LZCNT, 0x8000_0001, 0, 2, 5),
        (CpuidFeature.SSE4A, 0x8000_0001, 0, 2, 6),
        (CpuidFeature.FSGSBASE, 7, 0, 1, 0),
        (CpuidFeature.CLFSH, 1, 0, 3, 19),
        (CpuidFeature.CLFLUSHOPT, 7, 0, 1, 23),
        (CpuidFeature.PREFETCHW, 0x8000_0001, 0, 2, 8),
        (CpuidFeature.GFNI, 7, 0, 2, 8),
        (CpuidFeature.VAES, 7, 0, 2, 9),
        (CpuidFeature.VPCLMULQDQ, 7, 0, 2, 10),
        (CpuidFeature.CLWB, 7, 0, 1, 24),
        (CpuidFeature.XSAVE, 1, 0, 2, 27),
        (CpuidFeature.XSAVEOPT, 13, 1, 0, 0),
        (CpuidFeature.XSAVEC, 13, 1, 0, 1),
        (CpuidFeature.XSAVES, 13, 1, 0, 3),
        (CpuidFeature.RDRAND, 1, 0, 2, 30),
        (CpuidFeature.RDSEED, 7, 0, 1, 18),
        (CpuidFeature.RDPID, 7, 0, 2, 22),
        (CpuidFeature.RDTSCP, 0x8000_0001, 0, 3, 27),
        (CpuidFeature.TSC, 1, 0, 3, 4),
        (CpuidFeature.MSR, 1, 0, 3, 5),
        (CpuidFeature.SEP, 1, 0, 3, 11),
        (CpuidFeature.SYSCALL, 0x8000_0001, 0, 3, 11),
        (CpuidFeature.INVPCID, 7, 0, 1, 10),
        (CpuidFeature.SMAP, 7, 0, 1, 20),
    ];

    private static readonly CpuidFeature[] s_always =
    [
        CpuidFeature.INTEL8086, CpuidFeature.INTEL8086_ONLY, CpuidFeature.INTEL186, CpuidFeature.INTEL286, CpuidFeature.INTEL386, CpuidFeature.INTEL486,
        CpuidFeature.X64, CpuidFeature.FPU, CpuidFeature.FPU287, CpuidFeature.FPU387, CpuidFeature.MULTIBYTENOP, CpuidFeature.PAUSE, CpuidFeature.CPUID,
        // Where they do not exist they are WBINVD, a prefetch, no operation.
        CpuidFeature.WBNOINVD, CpuidFeature.PREFETCHWT1, CpuidFeature.CET_IBT,
    ];

    private static readonly (string Reason, Mnemonic[] Mnemonics)[] s_excluded =
    [
        ("calls the kernel", [Mnemonic.Syscall, Mnemonic.Sysenter]),
        ("AMD's and Intel's processors differ in the modes that have it", [Mnemonic.Sysret, Mnemonic.Sysretq, Mnemonic.Sysexit, Mnemonic.Sysexitq]),
        ("Linux emulates it for user mode", [Mnemonic.Sgdt, Mnemonic.Sidt, Mnemonic.Sldt, Mnemonic.Str, Mnemonic.Smsw]),
        ("loads a segment register with what the kernel's tables have", [Mnemonic.Lds, Mnemonic.Les, Mnemonic.Lss, Mnemonic.Lfs, Mnemonic.Lgs]),
        ("returns to another segment of the kernel's", [Mnemonic.Retf, Mnemonic.Iret, Mnemonic.Iretd, Mnemonic.Iretq]),
        ("a hypervisor may report it as a fault", [Mnemonic.Int1]),
        ("a counter that the kernel may have opened", [Mnemonic.Rdpmc]),
        ("does not exist since the 80386", [Mnemonic.Umov, Mnemonic.Loadall, Mnemonic.Ibts, Mnemonic.Xbts]),
    ];

    private static readonly (string Reason, Code[] Codes)[] s_excludedCodes =
    [
        ("the result is undefined", [Code.Bswap_r16, Code.Shld_rm16_r16_CL, Code.Shrd_rm16_r16_CL]),
        ("does not exist since the 80386", [Code.Popw_CS, Code.Mov_r32_tr, Code.Mov_tr_r32]),
        ("AMD's and Intel's processors differ in its width", [Code.Movsxd_r16_rm16]),
        ("a prefetch on AMD's processors", [Code.Reservednop_rm16_r16_0F0D, Code.Reservednop_rm32_r32_0F0D, Code.Reservednop_rm64_r64_0F0D]),
    ];

    private readonly HashSet<CpuidFeature> _features;

    /// <param name="announced">The emulated CPU's features.</param>
    public InstructionPool(Func<CpuidFeature, bool> announced)
    {
        _features = [.. s_always, .. s_features.Where(f => announced(f.Name) && IsOnHost(f.Name)).Select(f => f.Name)];
        Codes64 = Collect(64);
        Codes32 = Collect(32);
    }

    public IReadOnlySet<CpuidFeature> Features => _features;
    public OpCodeInfo[] Codes64 { get; }
    public OpCodeInfo[] Codes32 { get; }

    /// <summary>
    /// By CPUID feature, those that programs announced by the CPU may use: how many of its encodings cases are made of, how many there are, and which
    /// mnemonics are left out. What is left out has tests of its own, or no certain result.
    /// </summary>
    public IEnumerable<(CpuidFeature Feature, int Generated, int All, string[] LeftOut)> Coverage(Func<CpuidFeature, bool> announced)
    {
        var generated = new HashSet<Code>([.. Codes64.Concat(Codes32).Select(op => op.Code), .. ItemWriter.InSequences]);
        return Enum.GetValues<Code>().Distinct().Select(code => code.ToOpCode())
            .Where(op => op.IsInstruction && (op.Mode64 || op.Mode32) && op.Encoding is EncodingKind.Legacy or EncodingKind.VEX)
            .SelectMany(op => op.Code.CpuidFeatures().Select(feature => (feature, op)))
            .Where(p => announced(p.feature) && (Array.IndexOf(s_always, p.feature) >= 0 || Array.Exists(s_features, f => f.Name == p.feature)))
            .GroupBy(p => p.feature)
            .Select(g => (g.Key, g.Count(p => generated.Contains(p.op.Code)), g.Count(),
                g.Where(p => !generated.Contains(p.op.Code)).Select(p => $"{p.op.Mnemonic} ({WhyNot(p.op)})").Distinct().Order().ToArray()));
    }

    /// <summary>Why no case is made of an encoding, though the emulated CPU may have it; null when there is no reason.</summary>
    public static string? WhyNot(OpCodeInfo op)
    {
        foreach (CpuidFeature feature in op.Code.CpuidFeatures())
        {
            if (feature is CpuidFeature.KNC or CpuidFeature.INTEL486_A_ONLY)
                return "no processor with 64-bit mode and SSE has it";
            if (Array.Exists(s_features, f => f.Name == feature) && !IsOnHost(feature))
                return $"the host lacks {feature}";
        }
        foreach ((string reason, Mnemonic[] mnemonics) in s_excluded)
        {
            if (Array.IndexOf(mnemonics, op.Mnemonic) >= 0)
                return reason;
        }
        foreach ((string reason, Code[] codes) in s_excludedCodes)
        {
            if (Array.IndexOf(codes, op.Code) >= 0)
                return reason;
        }
        if (op.Code.FlowControl() is FlowControl.Return && op.Code is Code.Retnw or Code.Retnw_imm16)
            return "goes to the first 64 KiB, where nothing is mapped";
        for (int i = 0; i < op.OpCount; i++)
        {
            switch (op.GetOpKind(i))
            {
                case OpCodeOperandKind.farbr2_2 or OpCodeOperandKind.farbr4_2:
                    return "goes to another segment of the kernel's";
                case OpCodeOperandKind.br16_1 or OpCodeOperandKind.br16_2:
                    return "goes to the first 64 KiB, where nothing is mapped";
                case OpCodeOperandKind.seg_reg or OpCodeOperandKind.es or OpCodeOperandKind.ss or OpCodeOperandKind.ds or OpCodeOperandKind.fs or OpCodeOperandKind.gs
                    when i == 0 && op.Mnemonic is Mnemonic.Mov or Mnemonic.Pop:
                    return "loads a segment register with what the kernel's tables have";
            }
        }
        if (op.Code.FlowControl() is FlowControl.IndirectBranch or FlowControl.IndirectCall && Array.IndexOf(ItemWriter.InSequences, op.Code) < 0)
            return op.Code is Code.Jmp_rm16 or Code.Call_rm16 ? "goes to the first 64 KiB, where nothing is mapped" : "goes to another segment of the kernel's";
        return null;
    }

    private static bool IsOnHost(CpuidFeature name)
    {
        (_, uint leaf, uint subleaf, int register, int bit) = Array.Find(s_features, f => f.Name == name);
        (int eax, int ebx, int ecx, int edx) = X86Base.CpuId((int)leaf, (int)subleaf);
        return ((register switch { 0 => eax, 1 => ebx, 2 => ecx, _ => edx } >> bit) & 1) != 0;
    }

    private OpCodeInfo[] Collect(int bitness) =>
    [
        .. Enum.GetValues<Code>().Distinct().Select(code => code.ToOpCode()).Where(op => op.IsInstruction && (bitness == 64 ? op.Mode64 : op.Mode32)
            && op.Encoding is EncodingKind.Legacy or EncodingKind.VEX
            && Array.TrueForAll(op.Code.CpuidFeatures(), _features.Contains) && WhyNot(op) is null
            // Returns and indirect jumps stand in sequences that say where to.
            && op.Code.FlowControl() is not (FlowControl.Return or FlowControl.IndirectBranch or FlowControl.IndirectCall)),
    ];
}
