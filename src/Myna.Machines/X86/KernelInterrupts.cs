using Myna.Cpu.X86.Kvm;
using Myna.Devices.Interrupts;

namespace Myna.Machines.X86;

/// <summary>Moves the state of a PC's interrupt controllers between their models and the kernel.</summary>
internal sealed class KernelInterrupts
{
    private readonly ApicBus _bus;
    private readonly KvmX86Engine[] _engines;
    private readonly byte[] _page = new byte[LocalApic.PageSize];

    /// <param name="engines">In order of the CPUs, each of which has its local APIC.</param>
    public KernelInterrupts(KvmIrqchip chips, ApicBus bus, KvmX86Engine[] engines)
    {
        _bus = bus;
        _engines = engines;
        bus.Host = chips;
        chips.EndOfInterrupt = bus.BroadcastEoi;
        chips.HandOver = HandOver;
        chips.TakeBack = TakeBack;
    }

    private void HandOver() => _bus.Switch(hosted: true, () =>
    {
        for (int i = 0; i < _engines.Length; i++)
        {
            (ulong apicBase, ulong deadline) = _bus.LocalApics[i].HandOver(_page);
            _engines[i].StoreApic(_page, apicBase, deadline);
        }
    });

    private void TakeBack()
    {
        _bus.Switch(hosted: false, () =>
        {
            for (int i = 0; i < _engines.Length; i++)
            {
                _engines[i].FetchApic(_page, out ulong apicBase, out ulong deadline);
                _bus.LocalApics[i].TakeBack(_page, apicBase, deadline);
            }
        });
        // The end of a level interrupt may be known to the kernel alone.
        foreach (IoApic ioApic in _bus.IoApics)
            ioApic.FinishForgotten();
    }
}
