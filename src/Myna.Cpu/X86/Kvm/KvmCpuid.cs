using Myna.Host.Kvm;

namespace Myna.Cpu.X86.Kvm;

/// <summary>CPUID between a CPU model and KVM.</summary>
public static class KvmCpuid
{
    // What does not depend on the host: ours, or the kernel's whatever it says.
    private static readonly HashSet<CpuFeature> s_independent =
        [CpuFeature.Hypervisor, CpuFeature.X2Apic, CpuFeature.Apic, CpuFeature.Ht, CpuFeature.ConstantTsc, CpuFeature.Arat, CpuFeature.TscAdjust, CpuFeature.Mtrr, CpuFeature.Mca, CpuFeature.Mce];

    /// <summary>Features of a model that guests of this host cannot have.</summary>
    public static IReadOnlyList<CpuFeature> Missing(CpuModel model, ReadOnlySpan<KvmCpuidEntry> supported)
    {
        List<CpuFeature> missing = [];
        foreach (CpuFeatures.Row row in CpuFeatures.All)
        {
            if (!model.Has(row.Feature) || s_independent.Contains(row.Feature))
                continue;
            uint register = 0;
            foreach (ref readonly KvmCpuidEntry entry in supported)
            {
                if (entry.Function == row.Leaf && (entry.Index == row.Subleaf || (entry.Flags & KvmCpuidEntry.SignificantIndex) == 0))
                    register = row.Register switch { CpuidRegister.Eax => entry.Eax, CpuidRegister.Ebx => entry.Ebx, CpuidRegister.Ecx => entry.Ecx, _ => entry.Edx };
            }
            if ((register >> row.Bit & 1) == 0)
                missing.Add(row.Feature);
        }
        return missing;
    }

    /// <summary>What CPUID is to say on a CPU.</summary>
    internal static KvmCpuidEntry[] Entries(X86Cpu cpu)
    {
        List<KvmCpuidEntry> entries = [];
        for (uint leaf = 0; leaf <= Cpuid.LastBasic; leaf++)
        {
            switch (leaf)
            {
                case 4:
                    Add(leaf, 0, 4);
                    break;
                case 7:
                    Add(leaf, 0, 2);
                    break;
                case 0xB:
                    Add(leaf, 0, 2);
                    break;
                case 0xD:
                    for (uint i = 0; i < 64; i++)
                    {
                        Cpuid.Leaf state = cpu.CpuidTable.Read(leaf, i);
                        if (i < 2 || state.Eax != 0)
                            Add(leaf, i, i + 1);
                    }
                    break;
                default:
                    Add(leaf);
                    break;
            }
        }
        if (cpu.Model.Has(CpuFeature.Hypervisor))
        {
            Add(0x4000_0000);
            Add(Cpuid.LastHypervisor);
        }
        for (uint leaf = 0x8000_0000; leaf <= Cpuid.LastExtended; leaf++)
            Add(leaf);
        return [.. entries];

        void Add(uint leaf, uint? first = null, uint end = 1)
        {
            for (uint i = first ?? 0; i < end; i++)
            {
                Cpuid.Leaf l = cpu.CpuidTable.Read(leaf, i);
                entries.Add(new KvmCpuidEntry { Function = leaf, Index = i, Flags = first is null ? 0 : KvmCpuidEntry.SignificantIndex, Eax = l.Eax, Ebx = l.Ebx, Ecx = l.Ecx, Edx = l.Edx });
            }
        }
    }
}
