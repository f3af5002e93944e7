using Myna.Cpu.X86.Kvm;
using Myna.Devices.Interrupts;
using Myna.Devices.Timers;

namespace Myna.Machines.X86;

/// <summary>Moves the state of a PC's interrupt controllers between their models and the kernel. Order: the 8254, wires, controllers, local APICs.</summary>
internal sealed class KernelInterrupts
{
    private readonly KvmIrqchip _chips;
    private readonly ApicBus _bus;
    private readonly KvmX86Engine[] _engines;
    private readonly byte[] _page = new byte[LocalApic.PageSize];
    private readonly ulong[] _redirection = new ulong[IoApic.Pins];
    private GsiRouter? _router;
    private I8259Pair? _pic;
    private I8254? _pit;
    private Hpet? _hpet;

    /// <param name="engines">In order of the CPUs, each of which has its local APIC.</param>
    public KernelInterrupts(KvmIrqchip chips, ApicBus bus, KvmX86Engine[] engines)
    {
        _chips = chips;
        _bus = bus;
        _engines = engines;
        bus.Host = chips;
        chips.EndOfInterrupt = bus.BroadcastEoi;
        chips.HandOver = HandOver;
        chips.TakeBack = TakeBack;
    }

    /// <summary>The board's other controllers, which the kernel takes over if it has them.</summary>
    public void Add(GsiRouter router, I8259Pair? pic, I8254? pit, Hpet? hpet)
    {
        if (_chips.Mode != KvmIrqchipMode.Full)
            return;
        (_router, _pic, _pit, _hpet) = (router, pic, pit, hpet);
        router.Host = _chips;
        if (pic is not null)
            pic.Host = _chips;
        if (pit is not null)
            pit.Host = _chips;
        if (hpet is not null)
            hpet.LegacyChanged = legacy => KernelChips.SilencePit(_chips.Vm, legacy);
    }

    private void HandOver()
    {
        if (_router is null)
        {
            HandOverLocal();
            return;
        }
        PitChannel[]? channels = _pit?.HandOver();
        _router.Switch(hosted: true, () =>
        {
            for (int gsi = 0; gsi < IoApic.Pins; gsi++)
                _chips.SetLine(gsi, false);
            uint picInputs = 0;
            if (_pic is not null)
            {
                (I8259Registers master, I8259Registers slave) = _pic.HandOver();
                picInputs = master.Inputs | (uint)slave.Inputs << 8;
                KernelChips.StorePic(_chips.Vm, slave: false, master);
                KernelChips.StorePic(_chips.Vm, slave: true, slave);
            }
            IoApic ioApic = _bus.IoApics[0];
            (byte select, byte id, uint inputs) = ioApic.HandOver(_redirection);
            KernelChips.StoreIoApic(_chips.Vm, _redirection, select, id);
            HandOverLocal();
            for (int gsi = 0; gsi < IoApic.Pins; gsi++)
            {
                int pin = gsi == 0 ? 2 : gsi;
                if (((inputs >> pin & 1) != 0 && gsi != 2 && ioApic.IsLevel(pin)) || (gsi < 16 && (picInputs >> gsi & 1) != 0 && _pic!.IsLevel(gsi)))
                    _chips.SetLine(gsi, true);
            }
        });
        if (channels is not null)
            KernelChips.StorePit(_chips.Vm, channels, _hpet is { ReplacesLegacy: true });
    }

    private void HandOverLocal() => _bus.Switch(hosted: true, () =>
    {
        for (int i = 0; i < _engines.Length; i++)
        {
            (ulong apicBase, ulong deadline) = _bus.LocalApics[i].HandOver(_page);
            _engines[i].StoreApic(_page, apicBase, deadline);
        }
    });

    private void TakeBack()
    {
        if (_router is null)
        {
            TakeBackLocal();
        }
        else
        {
            _router.Switch(hosted: false, () =>
            {
                KernelChips.FetchIoApic(_chips.Vm, _redirection, out byte select, out byte id);
                _bus.IoApics[0].TakeBack(_redirection, select, id);
                _pic?.TakeBack(KernelChips.FetchPic(_chips.Vm, slave: false), KernelChips.FetchPic(_chips.Vm, slave: true));
                TakeBackLocal();
            });
            _pit?.TakeBack(KernelChips.FetchPit(_chips.Vm));
        }
        // The end of a level interrupt may be known to the kernel alone, and a level may have risen without it.
        foreach (IoApic ioApic in _bus.IoApics)
            ioApic.FinishForgotten();
    }

    private void TakeBackLocal() => _bus.Switch(hosted: false, () =>
    {
        for (int i = 0; i < _engines.Length; i++)
        {
            _engines[i].FetchApic(_page, out ulong apicBase, out ulong deadline);
            _bus.LocalApics[i].TakeBack(_page, apicBase, deadline);
        }
    });
}
