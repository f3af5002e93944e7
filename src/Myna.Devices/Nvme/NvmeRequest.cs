using Myna.Devices.Storage;
using Myna.Hardware.Backends;

namespace Myna.Devices.Nvme;

/// <summary>An I/O command of a <see cref="NvmeController"/> at a back end. Pooled.</summary>
internal sealed class NvmeRequest(NvmeController controller) : StorageRequest
{
    public ushort Id { get; set; }
    public int Queue { get; set; }

    public int CompletionQueue { get; set; }

    /// <summary>The life of its submission queue.</summary>
    public int Life { get; set; }

    /// <summary>Whether an error is the medium's on reading.</summary>
    public bool Reads { get; private set; }

    /// <summary>The life of the controller that it belongs to.</summary>
    public int Epoch { get; set; }

    public void Start(IBlockBackend backend, in Transfer transfer)
    {
        Reads = transfer.Kind == TransferKind.Read;
        Begin(backend, transfer);
    }

    public void Start(ValueTask<BlockStatus> work)
    {
        Reads = false;
        Begin(work);
    }

    protected override void Ended(BlockStatus status) => controller.Completed(this, status);
}
