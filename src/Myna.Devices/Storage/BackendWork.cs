using System.Runtime.CompilerServices;
using Myna.Hardware.Backends;

namespace Myna.Devices.Storage;

/// <summary>
/// Waits for a back end's work, without allocation: one at a time, begun by whoever the guest's access runs on, ended on whichever
/// thread the back end completes.
/// </summary>
internal sealed class BackendWork
{
    private readonly Action<BlockStatus> _ended;
    private readonly Action _completed;
    private ConfiguredValueTaskAwaitable<BlockStatus>.ConfiguredValueTaskAwaiter _io;
    private IBlockBackend? _flush;

    /// <param name="ended">The work has ended. Any thread.</param>
    public BackendWork(Action<BlockStatus> ended)
    {
        _ended = ended;
        _completed = Completed;
    }

    /// <param name="flush">Is flushed once the work has succeeded; null for none.</param>
    public void Begin(ValueTask<BlockStatus> io, IBlockBackend? flush = null)
    {
        _flush = flush;
        _io = io.ConfigureAwait(false).GetAwaiter();
        if (_io.IsCompleted)
            Completed();
        else
            _io.UnsafeOnCompleted(_completed);
    }

    private void Completed()
    {
        BlockStatus status = _io.GetResult();
        _io = default;
        if (status == BlockStatus.Ok && _flush is { } backend)
            Begin(backend.FlushAsync());
        else
            _ended(status);
    }
}
