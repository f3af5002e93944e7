using System.Globalization;
using Myna.Host;

namespace Myna.Linux;

/// <summary>
/// The file descriptors that are Myna's own. The guest's are all others, under the numbers that the host gives them: inherited
/// and passed on as in a native process.
/// </summary>
public sealed class Descriptors
{
    private const long SysFcntl = 72;
    private const int F_GETFD = 1, F_SETFD = 2, FD_CLOEXEC = 1;

    private readonly Lock _lock = new();
    private int[] _hidden = [];
    /// <summary>Of the hidden ones: files that the runtime has mapped long since and does not read again.</summary>
    private int[] _spare = [];

    /// <summary>In order.</summary>
    public ReadOnlySpan<int> Hidden => _hidden;

    public bool IsHidden(int descriptor) => descriptor > 2 && Array.BinarySearch(_hidden, descriptor) >= 0;

    /// <summary>The guest wants to have a number for itself.</summary>
    /// <returns>False: the runtime needs it.</returns>
    public bool TryYield(int descriptor)
    {
        lock (_lock)
        {
            if (!IsHidden(descriptor))
                return true;
            if (!_spare.Contains(descriptor))
                return false;
            _hidden = [.. _hidden.Where(h => h != descriptor)];
            _spare = [.. _spare.Where(s => s != descriptor)];
            return true;
        }
    }

    /// <summary>Keeps one more from the guest.</summary>
    public void Hide(int descriptor)
    {
        lock (_lock)
        {
            if (Array.BinarySearch(_hidden, descriptor) < 0)
                _hidden = [.. _hidden.Append(descriptor).Order()];
        }
    }

    /// <summary>Gives a number back to the guest.</summary>
    public void Show(int descriptor)
    {
        lock (_lock)
            _hidden = [.. _hidden.Where(h => h != descriptor)];
    }

    /// <summary>
    /// Hides what the runtime has opened before the guest begins: what would not survive an execve cannot be inherited, and the
    /// runtime opens its assemblies in its own ways.
    /// </summary>
    public void HideRuntime()
    {
        List<int> found = [], spare = [];
        foreach (string link in Directory.GetFiles("/proc/self/fd"))
        {
            int fd = int.Parse(Path.GetFileName(link), CultureInfo.InvariantCulture);
            if (fd <= 2)
                continue;
            long flags = HostSyscall.Invoke(SysFcntl, fd, F_GETFD);
            if (flags < 0)
                continue;
            bool assembly = new FileInfo(link).LinkTarget is { } target && target.EndsWith(".dll", StringComparison.Ordinal);
            if (assembly)
                spare.Add(fd);
            if (assembly && (flags & FD_CLOEXEC) == 0)
                _ = HostSyscall.Invoke(SysFcntl, fd, F_SETFD, FD_CLOEXEC);
            if (assembly || (flags & FD_CLOEXEC) != 0)
                found.Add(fd);
        }
        lock (_lock)
        {
            _spare = [.. spare];
            _hidden = [.. _hidden.Concat(found).Distinct().Order()];
        }
    }
}
