using Myna.Host.Kvm;

namespace Myna.Cpu.X86.Kvm;

/// <summary>The kernel's table of global system interrupts: pins of its chips, and messages.</summary>
public sealed class KvmRouting
{
    /// <summary>Pins of the I/O APIC: the first GSIs.</summary>
    public const int Pins = 24;

    private const int Maximum = 1024;

    private readonly KvmVm _vm;
    private readonly bool _chips;
    private readonly Lock _lock = new();
    private readonly Dictionary<int, KvmRoute> _messages = [];

    internal KvmRouting(KvmVm vm, bool chips)
    {
        _vm = vm;
        _chips = chips;
        Apply();
    }

    /// <summary>The message of a pin of our own I/O APIC.</summary>
    internal void SetPin(int pin, ulong address, uint data)
    {
        if (!_chips)
            Set(pin, address, data);
    }

    /// <summary>A GSI that sends a message, until <see cref="Release"/>.</summary>
    /// <returns>-1: there are no more.</returns>
    public int Allocate(ulong address, uint data)
    {
        lock (_lock)
        {
            for (int gsi = Pins; gsi < Maximum; gsi++)
            {
                if (_messages.ContainsKey(gsi))
                    continue;
                Set(gsi, address, data);
                return gsi;
            }
            return -1;
        }
    }

    /// <summary>Gives a GSI another message.</summary>
    public void Set(int gsi, ulong address, uint data)
    {
        lock (_lock)
        {
            var route = new KvmRoute { Gsi = (uint)gsi, Type = KvmRoute.ToMsi, ChipOrAddressLow = (uint)address, PinOrAddressHigh = (uint)(address >> 32), Data = data };
            if (_messages.TryGetValue(gsi, out KvmRoute old) && (old.ChipOrAddressLow, old.PinOrAddressHigh, old.Data) == (route.ChipOrAddressLow, route.PinOrAddressHigh, route.Data))
                return;
            _messages[gsi] = route;
            Apply();
        }
    }

    public void Release(int gsi)
    {
        lock (_lock)
        {
            if (_messages.Remove(gsi))
                Apply();
        }
    }

    private void Apply()
    {
        List<KvmRoute> routes = [.. _messages.Values];
        for (uint gsi = 0; _chips && gsi < Pins; gsi++)
        {
            // IRQ 0 arrives at pin 2 of the I/O APIC; IRQ 2 is the cascade.
            if (gsi < 16)
                routes.Add(new KvmRoute { Gsi = gsi, Type = KvmRoute.ToChip, ChipOrAddressLow = gsi < 8 ? KvmRoute.PicMaster : KvmRoute.PicSlave, PinOrAddressHigh = gsi & 7 });
            if (gsi != 2)
                routes.Add(new KvmRoute { Gsi = gsi, Type = KvmRoute.ToChip, ChipOrAddressLow = KvmRoute.IoApic, PinOrAddressHigh = gsi == 0 ? 2 : gsi });
        }
        _vm.SetRouting([.. routes]);
    }
}
