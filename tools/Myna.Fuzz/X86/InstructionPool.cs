using System.Runtime.Intrinsics.X86;
using Iced.Intel;

namespace Myna.Fuzz.X86;

/// <summary>The encodings that cases are made of.</summary>
internal sealed class InstructionPool
{
    /// <summary>Iced's name, and where the host's CPUID announces it: leaf, register (0 EAX to 3 EDX), bit.</summary>
    private static readonly (CpuidFeature Name, uint Leaf, int Register, int Bit)[] s_features =
    [
        (CpuidFeature.CMOV, 1, 3, 15),
        (CpuidFeature.CX8, 1, 3, 8),
        (CpuidFeature.CMPXCHG16B, 1, 2, 13),
        (CpuidFeature.MMX, 1, 3, 23),
        (CpuidFeature.FXSR, 1, 3, 24),
        (CpuidFeature.SSE, 1, 3, 25),
        (CpuidFeature.SSE2, 1, 3, 26),
        (CpuidFeature.SSE3, 1, 2, 0),
        (CpuidFeature.SSSE3, 1, 2, 9),
        (CpuidFeature.SSE4_1, 1, 2, 19),
        (CpuidFeature.SSE4_2, 1, 2, 20),
        (CpuidFeature.POPCNT, 1, 2, 23),
        (CpuidFeature.MOVBE, 1, 2, 22),
        (CpuidFeature.AES, 1, 2, 25),
        (CpuidFeature.PCLMULQDQ, 1, 2, 1),
        (CpuidFeature.AVX, 1, 2, 28),
        (CpuidFeature.FMA, 1, 2, 12),
        (CpuidFeature.F16C, 1, 2, 29),
        (CpuidFeature.AVX2, 7, 1, 5),
        (CpuidFeature.BMI1, 7, 1, 3),
        (CpuidFeature.BMI2, 7, 1, 8),
        (CpuidFeature.ADX, 7, 1, 19),
        (CpuidFeature.SHA, 7, 1, 29),
        (CpuidFeature.LZCNT, 0x8000_0001, 2, 5),
        (CpuidFeature.SSE4A, 0x8000_0001, 2, 6),
        (CpuidFeature.FSGSBASE, 7, 1, 0),
        (CpuidFeature.CLFSH, 1, 3, 19),
        (CpuidFeature.CLFLUSHOPT, 7, 1, 23),
        (CpuidFeature.PREFETCHW, 0x8000_0001, 2, 8),
        (CpuidFeature.GFNI, 7, 2, 8),
        (CpuidFeature.VAES, 7, 2, 9),
        (CpuidFeature.VPCLMULQDQ, 7, 2, 10),
        (CpuidFeature.CLWB, 7, 1, 24),
    ];

    private static readonly CpuidFeature[] s_always =
    [
        CpuidFeature.INTEL8086, CpuidFeature.INTEL8086_ONLY, CpuidFeature.INTEL186, CpuidFeature.INTEL286, CpuidFeature.INTEL386, CpuidFeature.INTEL486,
        CpuidFeature.X64, CpuidFeature.FPU, CpuidFeature.FPU287, CpuidFeature.FPU387, CpuidFeature.MULTIBYTENOP, CpuidFeature.PAUSE,
    ];

    // Not the same twice, or not the same under a kernel: time, randomness, identification, calls of the kernel and the hypervisor, what Linux emulates for
    // user mode (UMIP), state that the kernel owns, selectors of the kernel's GDT.
    private static readonly HashSet<Mnemonic> s_excluded =
    [
        Mnemonic.Rdtsc, Mnemonic.Rdtscp, Mnemonic.Rdpmc, Mnemonic.Cpuid, Mnemonic.Rdrand, Mnemonic.Rdseed, Mnemonic.Xgetbv, Mnemonic.Rdpid,
        Mnemonic.Syscall, Mnemonic.Sysenter, Mnemonic.Sysret, Mnemonic.Sysretq, Mnemonic.Sysexit, Mnemonic.Sysexitq, Mnemonic.Vmcall, Mnemonic.Vmmcall,
        Mnemonic.Sgdt, Mnemonic.Sidt, Mnemonic.Sldt, Mnemonic.Str, Mnemonic.Smsw, Mnemonic.Int,
        Mnemonic.Lar, Mnemonic.Lsl, Mnemonic.Verr, Mnemonic.Verw, Mnemonic.Lds, Mnemonic.Les, Mnemonic.Lss, Mnemonic.Lfs, Mnemonic.Lgs,
        Mnemonic.Retf, Mnemonic.Iret, Mnemonic.Iretd, Mnemonic.Iretq,
        Mnemonic.Xsave, Mnemonic.Xsave64, Mnemonic.Xsavec, Mnemonic.Xsavec64, Mnemonic.Xsaveopt, Mnemonic.Xsaveopt64, Mnemonic.Xrstor, Mnemonic.Xrstor64,
        Mnemonic.Xsaves, Mnemonic.Xsaves64, Mnemonic.Xrstors, Mnemonic.Xrstors64,
        // They write the address of the last x87 instruction, which processors keep in different ways.
        Mnemonic.Fnstenv, Mnemonic.Fstenv, Mnemonic.Fnsave, Mnemonic.Fsave, Mnemonic.Fxsave, Mnemonic.Fxsave64,
        // Their result is undefined.
        Mnemonic.Wbnoinvd, Mnemonic.Umov,
        // Under a hypervisor it may be reported as a fault.
        Mnemonic.Int1,
    ];

    private static readonly HashSet<Code> s_excludedCodes = [Code.Bswap_r16, Code.Shld_rm16_r16_CL, Code.Shrd_rm16_r16_CL, Code.Loadall286, Code.Loadall386, Code.Popw_CS, Code.Movsxd_r16_rm16,
        Code.Reservednop_rm16_r16_0F0D, Code.Reservednop_rm32_r32_0F0D, Code.Reservednop_rm64_r64_0F0D];

    private readonly HashSet<CpuidFeature> _features;

    /// <param name="announced">The emulated CPU's features.</param>
    public InstructionPool(Func<CpuidFeature, bool> announced)
    {
        _features = [.. s_always, .. s_features.Where(f => announced(f.Name) && Host(f.Leaf, f.Register, f.Bit)).Select(f => f.Name)];
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
        var generated = new HashSet<Code>(Codes64.Concat(Codes32).Select(op => op.Code));
        return Enum.GetValues<Code>().Distinct().Select(code => code.ToOpCode())
            .Where(op => op.IsInstruction && (op.Mode64 || op.Mode32) && op.Encoding is EncodingKind.Legacy or EncodingKind.VEX)
            .SelectMany(op => op.Code.CpuidFeatures().Select(feature => (feature, op)))
            .Where(p => announced(p.feature) && (Array.IndexOf(s_always, p.feature) >= 0 || Array.Exists(s_features, f => f.Name == p.feature)))
            .GroupBy(p => p.feature)
            .Select(g => (g.Key, g.Count(p => generated.Contains(p.op.Code)), g.Count(),
                g.Where(p => !generated.Contains(p.op.Code)).Select(p => p.op.Mnemonic.ToString()).Distinct().Order().ToArray()));
    }

    private static bool Host(uint leaf, int register, int bit)
    {
        (int eax, int ebx, int ecx, int edx) = X86Base.CpuId((int)leaf, 0);
        return ((register switch { 0 => eax, 1 => ebx, 2 => ecx, _ => edx } >> bit) & 1) != 0;
    }

    private OpCodeInfo[] Collect(int bitness) =>
    [
        .. Enum.GetValues<Code>().Distinct().Select(code => code.ToOpCode()).Where(op => op.IsInstruction && (bitness == 64 ? op.Mode64 : op.Mode32)
            && op.Encoding is EncodingKind.Legacy or EncodingKind.VEX
            && Array.TrueForAll(op.Code.CpuidFeatures(), _features.Contains)
            && !s_excluded.Contains(op.Mnemonic) && !s_excludedCodes.Contains(op.Code) && Allowed(op)),
    ];

    private static bool Allowed(OpCodeInfo op)
    {
        if (op.Code.FlowControl() is not (FlowControl.Next or FlowControl.ConditionalBranch or FlowControl.UnconditionalBranch or FlowControl.Call or FlowControl.Interrupt or FlowControl.Exception))
            return false;
        for (int i = 0; i < op.OpCount; i++)
        {
            switch (op.GetOpKind(i))
            {
                case OpCodeOperandKind.farbr2_2 or OpCodeOperandKind.farbr4_2 or OpCodeOperandKind.br16_1 or OpCodeOperandKind.br16_2
                    or OpCodeOperandKind.tr_reg or OpCodeOperandKind.sibmem or OpCodeOperandKind.mem_mib or OpCodeOperandKind.mem_mpx:
                    return false;
                // A segment register as the destination.
                case OpCodeOperandKind.seg_reg or OpCodeOperandKind.es or OpCodeOperandKind.ss or OpCodeOperandKind.ds or OpCodeOperandKind.fs or OpCodeOperandKind.gs
                    when i == 0 && op.Mnemonic is Mnemonic.Mov or Mnemonic.Pop:
                    return false;
            }
        }
        return true;
    }
}
