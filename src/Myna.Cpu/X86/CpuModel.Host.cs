using System.Runtime.Intrinsics.X86;
using Myna.Jit.Engine;

namespace Myna.Cpu.X86;

public sealed partial class CpuModel
{
    // Vector operations are executed by the host's own instructions. VAES and VPCLMULQDQ are the 128-bit instructions twice.
    private static readonly (CpuFeature Feature, CpuFeature OfHost)[] s_byHost =
    [
        (CpuFeature.Pni, CpuFeature.Avx), (CpuFeature.Ssse3, CpuFeature.Avx), (CpuFeature.Sse4_1, CpuFeature.Avx), (CpuFeature.Sse4_2, CpuFeature.Avx), (CpuFeature.Avx, CpuFeature.Avx),
        (CpuFeature.Avx2, CpuFeature.Avx2), (CpuFeature.Fma, CpuFeature.Fma), (CpuFeature.F16c, CpuFeature.F16c), (CpuFeature.Aes, CpuFeature.Aes), (CpuFeature.Vaes, CpuFeature.Aes),
        (CpuFeature.Pclmulqdq, CpuFeature.Pclmulqdq), (CpuFeature.Vpclmulqdq, CpuFeature.Pclmulqdq), (CpuFeature.ShaNi, CpuFeature.ShaNi), (CpuFeature.Gfni, CpuFeature.Gfni),
    ];

    private void RemoveWhatTheHostLacks()
    {
        foreach ((CpuFeature feature, CpuFeature ofHost) in s_byHost)
        {
            if (!HostHas(ofHost))
                _features[(int)feature] = false;
        }
    }

    private static bool HostHas(CpuFeature feature)
    {
        if (!HostVector.IsSupported)
            return false;
        CpuFeatures.Row row = Array.Find(CpuFeatures.All, r => r.Feature == feature)!;
        if ((uint)X86Base.CpuId((int)(row.Leaf & 0x8000_0000), 0).Eax < row.Leaf)
            return false;
        (int eax, int ebx, int ecx, int edx) = X86Base.CpuId((int)row.Leaf, (int)row.Subleaf);
        int register = row.Register switch { CpuidRegister.Eax => eax, CpuidRegister.Ebx => ebx, CpuidRegister.Ecx => ecx, _ => edx };
        return (register >> row.Bit & 1) != 0;
    }
}
