using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Virtio.Entropy;

/// <summary>Fills a span with random bytes. Called on any thread, one call at a time for each device.</summary>
public delegate void EntropySource(Span<byte> bytes);

/// <summary>The entropy device (virtio 1.2, section 5.4): fills the driver's buffers with random bytes.</summary>
[Stateful("virtio-rng")]
public sealed partial class VirtioEntropy : VirtioDevice
{
    /// <summary>Bytes that one buffer gets at most; the driver asks again.</summary>
    private const int MaxBytes = 4096;

    private readonly EntropySource _source;
    private readonly DescriptorChain _chain = new();

    public VirtioEntropy(AddressSpace memory, EntropySource source, VirtioOptions? options = null, LogChannel? log = null)
        : base(VirtioDeviceId.Entropy, "virtio-rng", memory, [64], options, log) => _source = source;

    public override int ConfigSize => 0;

    protected override ulong DeviceFeatures => 0;

    protected override void FillConfig(Span<byte> config) { }

    protected override void QueueNotified(int queue)
    {
        Virtqueue q = Queues[queue];
        Span<byte> bytes = stackalloc byte[MaxBytes];
        lock (q.Lock)
        {
            do
            {
                q.DisableNotifications();
                while (q.TryPop(_chain))
                {
                    Span<byte> part = bytes[..(int)Math.Min((uint)MaxBytes, _chain.WritableLength)];
                    _source(part);
                    q.Push(_chain, (uint)_chain.Write(0, part));
                }
                q.Signal();
            }
            while (q.EnableNotifications());
        }
    }
}
