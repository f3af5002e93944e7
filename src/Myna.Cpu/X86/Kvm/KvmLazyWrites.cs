using Myna.Hardware.Memory;
using Myna.Host.Kvm;

namespace Myna.Cpu.X86.Kvm;

/// <summary>
/// Writes that the kernel gathers in a ring (KVM_CAP_COALESCED_MMIO and KVM_CAP_COALESCED_PIO) while the guest goes on. They reach their
/// devices, in order, before what any CPU leaves the guest for, and whenever somebody wants to look.
/// </summary>
internal sealed class KvmLazyWrites
{
    private readonly KvmVm _vm;
    private readonly KvmCoalescedRing _ring;
    private readonly AddressSpace _memory, _ports;
    private readonly bool _gathersPorts;
    private readonly Lock _zones = new(), _delivery = new();
    private readonly Dictionary<Region, (LazyRange[] Ranges, bool Ports)> _wired = new(ReferenceEqualityComparer.Instance);
    private readonly X86Cpu _cpu;

    /// <param name="cpu">Any of the machine's: writes arrive as its own.</param>
    public KvmLazyWrites(KvmVm vm, KvmCoalescedRing ring, AddressSpace memory, AddressSpace ports, X86Cpu cpu)
    {
        _vm = vm;
        _ring = ring;
        _cpu = cpu;
        _memory = memory;
        _ports = ports;
        _gathersPorts = vm.Check(KvmCapability.COALESCED_PIO) != 0;
        memory.Changed += Update;
        ports.Changed += Update;
        Update();
    }

    /// <summary>Writes that came this way.</summary>
    public ulong Delivered { get; private set; }

    // Whoever changes the map may hold a device's lock: nothing is delivered here.
    private void Update()
    {
        lock (_zones)
        {
            var wanted = new Dictionary<Region, bool>(ReferenceEqualityComparer.Instance);
            foreach (Region region in _memory.Regions.Where(r => r.Device is ILazyWrites))
                wanted.Add(region, false);
            foreach (Region region in _ports.Regions.Where(r => _gathersPorts && r.Device is ILazyWrites))
                wanted.Add(region, true);
            foreach (Region gone in _wired.Keys.Where(r => !wanted.ContainsKey(r)).ToArray())
            {
                foreach (LazyRange range in _wired[gone].Ranges)
                    _vm.SetCoalesced(gone.Start + range.Offset, (uint)range.Size, _wired[gone].Ports, on: false);
                _wired.Remove(gone);
            }
            foreach ((Region region, bool port) in wanted.Where(r => !_wired.ContainsKey(r.Key)))
            {
                var device = (ILazyWrites)region.Device!;
                LazyRange[] ranges = [.. device.LazyWrites.Where(r => r.Offset + r.Size <= region.Size)];
                foreach (LazyRange range in ranges)
                    _vm.SetCoalesced(region.Start + range.Offset, (uint)range.Size, port, on: true);
                device.Settle = Settle;
                _wired.Add(region, (ranges, port));
            }
        }
    }

    /// <summary>When it returns, what CPUs wrote before has reached the devices.</summary>
    public void Settle()
    {
        if (_ring.IsEmpty)
            return;
        lock (_delivery)
        {
            while (_ring.TryPeek(out KvmCoalescedWrite write))
            {
                Delivered++;
                int size = (int)Math.Min(write.Length, 8);
                ulong value = size == 8 ? write.Data : write.Data & ((1UL << (8 * size)) - 1);
                if (write.Port != 0)
                    _cpu.WriteKvmPort((int)write.Address, size, value);
                else
                    _cpu.WriteKvmMemory(write.Address, size, value);
                _ring.Advance();
            }
        }
    }

    public void Dispose()
    {
        _memory.Changed -= Update;
        _ports.Changed -= Update;
        foreach (ILazyWrites device in _wired.Keys.Select(r => r.Device).OfType<ILazyWrites>())
            device.Settle = null;
    }
}
