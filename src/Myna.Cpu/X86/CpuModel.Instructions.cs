using Iced.Intel;

namespace Myna.Cpu.X86;

/// <summary>Which instructions a model executes.</summary>
public sealed partial class CpuModel
{
    /// <summary>Whether instructions that Iced lists under a feature execute: what CPUID does not announce is undefined (#UD).</summary>
    public bool Allows(CpuidFeature feature) => feature switch
    {
        CpuidFeature.ADX => Has(CpuFeature.Adx),
        CpuidFeature.AES => Has(CpuFeature.Aes),
        CpuidFeature.AVX => Has(CpuFeature.Avx),
        CpuidFeature.AVX2 => Has(CpuFeature.Avx2),
        CpuidFeature.BMI1 => Has(CpuFeature.Bmi1),
        CpuidFeature.BMI2 => Has(CpuFeature.Bmi2),
        CpuidFeature.CLFSH => Has(CpuFeature.Clflush),
        CpuidFeature.CLFLUSHOPT => Has(CpuFeature.ClflushOpt),
        CpuidFeature.CLWB => Has(CpuFeature.Clwb),
        CpuidFeature.CMOV => Has(CpuFeature.Cmov),
        CpuidFeature.CMPXCHG16B => Has(CpuFeature.Cx16),
        CpuidFeature.CX8 => Has(CpuFeature.Cx8),
        CpuidFeature.F16C => Has(CpuFeature.F16c),
        CpuidFeature.FMA => Has(CpuFeature.Fma),
        CpuidFeature.FSGSBASE => Has(CpuFeature.FsGsBase),
        CpuidFeature.FXSR => Has(CpuFeature.Fxsr),
        CpuidFeature.GFNI => Has(CpuFeature.Gfni),
        CpuidFeature.INVPCID => Has(CpuFeature.Invpcid),
        CpuidFeature.LZCNT => Has(CpuFeature.Abm),
        CpuidFeature.MMX => Has(CpuFeature.Mmx),
        CpuidFeature.MONITOR => Has(CpuFeature.Monitor),
        CpuidFeature.MOVBE => Has(CpuFeature.Movbe),
        CpuidFeature.MOVDIRI => Has(CpuFeature.Movdiri),
        CpuidFeature.PCLMULQDQ => Has(CpuFeature.Pclmulqdq),
        CpuidFeature.PKU => Has(CpuFeature.Pku),
        CpuidFeature.POPCNT => Has(CpuFeature.Popcnt),
        CpuidFeature.RDPID => Has(CpuFeature.Rdpid),
        CpuidFeature.RDRAND => Has(CpuFeature.Rdrand),
        CpuidFeature.RDSEED => Has(CpuFeature.Rdseed),
        CpuidFeature.RDTSCP => Has(CpuFeature.Rdtscp),
        CpuidFeature.SHA => Has(CpuFeature.ShaNi),
        CpuidFeature.SMAP => Has(CpuFeature.Smap),
        CpuidFeature.SSE => Has(CpuFeature.Sse),
        CpuidFeature.SSE2 => Has(CpuFeature.Sse2),
        CpuidFeature.SSE3 => Has(CpuFeature.Pni),
        CpuidFeature.SSSE3 => Has(CpuFeature.Ssse3),
        CpuidFeature.SSE4_1 => Has(CpuFeature.Sse4_1),
        CpuidFeature.SSE4_2 => Has(CpuFeature.Sse4_2),
        CpuidFeature.SSE4A => Has(CpuFeature.Sse4a),
        CpuidFeature.TSC => Has(CpuFeature.Tsc),
        CpuidFeature.VAES => Has(CpuFeature.Vaes),
        CpuidFeature.VPCLMULQDQ => Has(CpuFeature.Vpclmulqdq),
        CpuidFeature.XSAVE => Has(CpuFeature.Xsave),
        CpuidFeature.XSAVEC => Has(CpuFeature.Xsavec),
        CpuidFeature.XSAVEOPT => Has(CpuFeature.XsaveOpt),
        CpuidFeature.XSAVES => Has(CpuFeature.Xsaves),
        _ => true,
    };
}
