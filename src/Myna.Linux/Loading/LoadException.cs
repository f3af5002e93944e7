namespace Myna.Linux.Loading;

/// <summary>A program that cannot be started.</summary>
/// <param name="message">What is wrong and what to do, one or two lines.</param>
/// <param name="errno">What execve would say.</param>
public sealed class LoadException(string message, int errno) : Exception(message)
{
    public int Errno => errno;

    /// <summary>A shell's exit status: 127 for what is not there, 126 for what cannot be executed.</summary>
    public int Status => errno is Linux.Errno.ENOENT or Linux.Errno.ENOTDIR ? 127 : 126;
}
