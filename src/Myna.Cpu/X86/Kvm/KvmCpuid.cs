using Myna.Host.Kvm;

namespace Myna.Cpu.X86.Kvm;

/// <summary>What guests of a host's KVM can be told by CPUID.</summary>
public sealed class KvmCpuid
{
    // What does not depend on the host: ours, or the kernel's whatever it says.
    private static readonly HashSet<CpuFeature> s_independent =
        [CpuFeature.Hypervisor, CpuFeature.X2Apic, CpuFeature.Apic, CpuFeature.Ht, CpuFeature.ConstantTsc, CpuFeature.Arat, CpuFeature.TscAdjust, CpuFeature.Mtrr, CpuFeature.Mca, CpuFeature.Mce];

    private readonly KvmCpuidEntry[] _supported;
    private readonly KvmCpuidEntry[] _imposed;

    /// <exception cref="IOException">The kernel refuses to say, or to make a CPU to try it with.</exception>
    public KvmCpuid(KvmHost host)
    {
        _supported = host.SupportedCpuid();
        using KvmVm vm = host.CreateVm();
        using KvmVcpu cpu = vm.CreateVcpu(0);
        // A processor with no features: what the kernel answers for it all the same is not ours to choose.
        cpu.SetCpuid(
        [
            new KvmCpuidEntry { Function = 0, Eax = Cpuid.LastBasic },
            new KvmCpuidEntry { Function = 1, Eax = Cpuid.Signature },
            new KvmCpuidEntry { Function = 7, Flags = KvmCpuidEntry.SignificantIndex },
            new KvmCpuidEntry { Function = 0x8000_0000, Eax = Cpuid.LastExtended },
            new KvmCpuidEntry { Function = 0x8000_0001 },
        ]);
        _imposed = cpu.GetCpuid();
        TscKilohertz = cpu.TscKilohertz;
        ScalesTsc = vm.Check(KvmCapability.TSC_CONTROL) != 0 && cpu.TrySetTscKilohertz(Cpuid.TscHertz / 1000);
    }

    /// <summary>Frequency of the time stamp counter that guests see unless it is scaled; 0 when the kernel does not say.</summary>
    public uint TscKilohertz { get; }

    /// <summary>Whether the processor can make that 1 GHz, as emulated CPUs have it.</summary>
    public bool ScalesTsc { get; }

    // Bits of EAX of leaf 4000_0001h (Linux, Documentation/virt/kvm/x86/cpuid.rst). Those by hypercall are left out: only KVM would answer.
    private const uint NoIoDelay = 1 << 1, Clock = 1 << 3, AsyncPageFaults = 1 << 4, StealTime = 1 << 5, PvEoi = 1 << 6, AsyncPageFaultInterrupts = 1 << 14, StableClock = 1 << 24;

    /// <summary>What this kernel offers of its paravirtual features.</summary>
    /// <param name="kernelApic">Local APICs are in the kernel.</param>
    public uint Paravirtual(bool kernelApic)
    {
        uint wanted = NoIoDelay | Clock | StableClock | StealTime | (kernelApic ? AsyncPageFaults | AsyncPageFaultInterrupts | PvEoi : 0);
        uint offered = wanted & _supported.FirstOrDefault(e => e.Function == 0x4000_0001).Eax;
        // A page fault is told of by an interrupt; the older way is gone.
        return (offered & AsyncPageFaultInterrupts) != 0 ? offered : offered & ~AsyncPageFaults;
    }

    /// <summary>Features of a model that guests of this host cannot have.</summary>
    public IReadOnlyList<CpuFeature> Missing(CpuModel model)
        => [.. CpuFeatures.All.Where(r => model.Has(r.Feature) && !s_independent.Contains(r.Feature) && !Has(_supported, r) && !Has(_imposed, r)).Select(r => r.Feature)];

    /// <summary>Features that guests of this host see whatever they are told.</summary>
    public IReadOnlyList<CpuFeature> Imposed()
        => [.. CpuFeatures.All.Where(r => !s_independent.Contains(r.Feature) && CpuModel.Knows(r.Feature) && Has(_imposed, r)).Select(r => r.Feature)];

    private static bool Has(KvmCpuidEntry[] entries, CpuFeatures.Row row)
    {
        foreach (ref readonly KvmCpuidEntry entry in entries.AsSpan())
        {
            if (entry.Function != row.Leaf || (entry.Index != row.Subleaf && (entry.Flags & KvmCpuidEntry.SignificantIndex) != 0))
                continue;
            uint register = row.Register switch { CpuidRegister.Eax => entry.Eax, CpuidRegister.Ebx => entry.Ebx, CpuidRegister.Ecx => entry.Ecx, _ => entry.Edx };
            if ((register >> row.Bit & 1) != 0)
                return true;
        }
        return false;
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
                    AddAll(leaf, 4);
                    break;
                case 7 or 0xB:
                    AddAll(leaf, 2);
                    break;
                case 0xD:
                    for (uint i = 0; i < 63; i++)
                    {
                        if (i < 2 || cpu.CpuidTable.Read(leaf, i).Eax != 0)
                            Add(leaf, i, KvmCpuidEntry.SignificantIndex);
                    }
                    break;
                default:
                    Add(leaf, 0, 0);
                    break;
            }
        }
        if (cpu.Model.Has(CpuFeature.Hypervisor))
        {
            Add(0x4000_0000, 0, 0);
            Add(0x4000_0001, 0, 0);
            Add(Cpuid.LastHypervisor, 0, 0);
        }
        for (uint leaf = 0x8000_0000; leaf <= Cpuid.LastExtended; leaf++)
            Add(leaf, 0, 0);
        return [.. entries];

        void AddAll(uint leaf, uint count)
        {
            for (uint i = 0; i < count; i++)
                Add(leaf, i, KvmCpuidEntry.SignificantIndex);
        }

        void Add(uint leaf, uint index, uint flags)
        {
            Cpuid.Leaf l = cpu.CpuidTable.Read(leaf, index);
            entries.Add(new KvmCpuidEntry { Function = leaf, Index = index, Flags = flags, Eax = l.Eax, Ebx = l.Ebx, Ecx = l.Ecx, Edx = l.Edx });
        }
    }
}
