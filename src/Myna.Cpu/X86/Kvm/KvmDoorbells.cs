using System.Collections.Concurrent;
using Myna.Hardware.Memory;
using Myna.Host.Kvm;

namespace Myna.Cpu.X86.Kvm;

/// <summary>Registers whose writes the kernel turns into events: the CPU goes on at once, and a thread of ours tells the device.</summary>
internal sealed class KvmDoorbells : IDisposable
{
    private readonly KvmVm _vm;
    private readonly Lock _lock = new();
    private readonly Lock _delivery = new();
    private readonly Dictionary<Region, Bell[]> _bells = new(ReferenceEqualityComparer.Instance);
    private readonly ConcurrentQueue<Bell> _retired = new();
    private readonly KvmEvent _wake = new();
    private volatile Bell[] _all = [];
    private Thread? _thread;
    private volatile bool _ended;

    public KvmDoorbells(KvmVm vm) => _vm = vm;

    private sealed record Bell(KvmEvent Event, IMmio Device, ulong Address, Doorbell Doorbell);

    /// <summary>Writes that were delivered here.</summary>
    public ulong Delivered { get; private set; }

    /// <summary>Follows the map.</summary>
    public void Update(IReadOnlyList<Region> regions)
    {
        lock (_lock)
        {
            var wanted = new HashSet<Region>(regions.Where(r => r.Device is IDoorbells), ReferenceEqualityComparer.Instance);
            if (wanted.SetEquals(_bells.Keys))
                return;
            foreach (Region gone in _bells.Keys.Where(r => !wanted.Contains(r)).ToArray())
            {
                foreach (Bell bell in _bells[gone])
                    Wire(bell, on: false);
                _bells.Remove(gone);
            }
            foreach (Region region in wanted.Where(r => !_bells.ContainsKey(r)))
            {
                Bell[] bells = [.. ((IDoorbells)region.Device!).Doorbells.Where(d => d.Offset + (ulong)d.Size <= region.Size).Select(d => new Bell(new KvmEvent(), region.Device!, region.Start + d.Offset, d))];
                foreach (Bell bell in bells)
                    Wire(bell, on: true);
                _bells.Add(region, bells);
            }
            // Whoever changes the map may hold a device's lock: the thread delivers what rang before, and closes the events.
            Bell[] kept = [.. _bells.Values.SelectMany(b => b)];
            foreach (Bell bell in _all.Except(kept))
                _retired.Enqueue(bell);
            _all = kept;
            if (_thread is null && _all.Length != 0)
            {
                _thread = new Thread(Loop) { IsBackground = true, Name = "doorbells" };
                _thread.Start();
            }
            _wake.Set();
        }
    }

    /// <summary>When it returns, what CPUs wrote before has reached the devices.</summary>
    public void Flush()
    {
        lock (_delivery)
        {
            foreach (Bell bell in _all)
                Deliver(bell);
        }
    }

    private void Wire(Bell bell, bool on) => _vm.SetIoeventfd(bell.Event, bell.Address, bell.Doorbell.Size, port: false, bell.Doorbell.Value, on);

    private void Deliver(Bell bell)
    {
        if (bell.Event.Take() == 0)
            return;
        Delivered++;
        _ = bell.Device.Write(bell.Doorbell.Offset, bell.Doorbell.Size, bell.Doorbell.Value ?? 0);
    }

    private void Loop()
    {
        while (!_ended)
        {
            Bell[] bells = _all;
            KvmEvent[] events = [.. bells.Select(b => b.Event)];
            KvmEvent.Wait(_wake, events, () => _ended || !ReferenceEquals(bells, _all), Flush);
            lock (_delivery)
            {
                while (_retired.TryDequeue(out Bell? bell))
                {
                    Deliver(bell);
                    bell.Event.Dispose();
                }
            }
        }
    }

    public void Dispose()
    {
        _ended = true;
        _wake.Set();
        _thread?.Join();
        foreach (Bell bell in _all.Concat(_retired))
            bell.Event.Dispose();
        _wake.Dispose();
    }
}
